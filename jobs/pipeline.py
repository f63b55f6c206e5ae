"""Run all stages as a Ray job: the same arguments as `zoogen pipeline`."""

import sys

from zoogen.cli import main

if __name__ == "__main__":
    main(["pipeline", *sys.argv[1:]])
