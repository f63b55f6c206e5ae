"""Run the benchmark as a Ray job: the same arguments as `zoogen benchmark`."""

import sys

from zoogen.cli import main

if __name__ == "__main__":
    main(["benchmark", *sys.argv[1:]])
