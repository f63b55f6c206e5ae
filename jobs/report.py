"""Put evaluations side by side as a Ray job: the same arguments as `zoogen report`."""

import sys

from zoogen.cli import run

if __name__ == "__main__":
    run(["report", *sys.argv[1:]])
