"""Run a sweep as a Ray job: the same arguments as `zoogen sweep`."""

import sys

from zoogen.cli import run

if __name__ == "__main__":
    run(["sweep", *sys.argv[1:]])
