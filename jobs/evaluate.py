"""Evaluate as a Ray job: the same arguments as `zoogen evaluate`."""

import sys

from zoogen.cli import main

if __name__ == "__main__":
    main(["evaluate", *sys.argv[1:]])
