"""Compare layers as a Ray job: the same arguments as `zoogen similarity`."""

import sys

from zoogen.cli import main

if __name__ == "__main__":
    main(["similarity", *sys.argv[1:]])
