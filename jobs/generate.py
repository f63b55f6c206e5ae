"""Generate weights as a Ray job: the same arguments as `zoogen generate`."""

import sys

from zoogen.cli import run

if __name__ == "__main__":
    run(["generate", *sys.argv[1:]])
