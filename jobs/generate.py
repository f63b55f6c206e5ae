"""Generate weights as a Ray job: the same arguments as `zoogen generate`."""

import sys

from zoogen.cli import main

if __name__ == "__main__":
    main(["generate", *sys.argv[1:]])
