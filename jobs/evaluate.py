"""Evaluate as a Ray job: the same arguments as `zoogen evaluate`."""

import sys

from zoogen.cli import run

if __name__ == "__main__":
    run(["evaluate", *sys.argv[1:]])
