"""Train the generator as a Ray job: the same arguments as `zoogen train-generator`."""

import sys

from zoogen.cli import run

if __name__ == "__main__":
    run(["train-generator", *sys.argv[1:]])
