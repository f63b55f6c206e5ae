"""Run a sweep as a Ray job: the same arguments as `zoogen sweep`."""

import sys

from zoogen.cli import main

if __name__ == "__main__":
    main(["sweep", *sys.argv[1:]])
