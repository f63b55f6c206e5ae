"""Train the autoencoder as a Ray job: the same arguments as `zoogen train-autoencoder`."""

import sys

from zoogen.cli import run

if __name__ == "__main__":
    run(["train-autoencoder", *sys.argv[1:]])
