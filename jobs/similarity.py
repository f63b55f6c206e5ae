"""Compare layers as a Ray job: the same arguments as `zoogen similarity`."""

import sys

from zoogen.cli import run

if __name__ == "__main__":
    run(["similarity", *sys.argv[1:]])
