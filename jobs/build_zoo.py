"""Build the zoo as a Ray job: the same arguments as `zoogen build-zoo`."""

import sys

from zoogen.cli import run

if __name__ == "__main__":
    run(["build-zoo", *sys.argv[1:]])
