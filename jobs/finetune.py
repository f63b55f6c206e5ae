"""Fine-tune as a Ray job: the same arguments as `zoogen finetune`."""

import sys

from zoogen.cli import run

if __name__ == "__main__":
    run(["finetune", *sys.argv[1:]])
