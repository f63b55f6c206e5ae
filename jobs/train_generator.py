"""Train the generator as a Ray job: the same arguments as `zoogen train-generator`."""

import sys

from zoogen.cli import main

if __name__ == "__main__":
    main(["train-generator", *sys.argv[1:]])
