"""Train the autoencoder as a Ray job: the same arguments as `zoogen train-autoencoder`."""

import sys

from zoogen.cli import main

if __name__ == "__main__":
    main(["train-autoencoder", *sys.argv[1:]])
