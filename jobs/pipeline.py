"""Run all stages as a Ray job: the same arguments as `zoogen pipeline`."""

import sys

from zoogen.cli import run

if __name__ == "__main__":
    run(["pipeline", *sys.argv[1:]])
