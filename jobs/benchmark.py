"""Run the benchmark as a Ray job: the same arguments as `zoogen benchmark`."""

import sys

from zoogen.cli import run

if __name__ == "__main__":
    run(["benchmark", *sys.argv[1:]])
