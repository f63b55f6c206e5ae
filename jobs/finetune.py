"""Fine-tune as a Ray job: the same arguments as `zoogen finetune`."""

import sys

from zoogen.cli import main

if __name__ == "__main__":
    main(["finetune", *sys.argv[1:]])
