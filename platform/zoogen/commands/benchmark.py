"""`zoogen benchmark CONFIG`."""

import json
from collections.abc import Sequence

from zoogen.console import Console


def run_benchmark(config: str, overrides: Sequence[str], *, dry_run: bool = False) -> None:
    """Measure against named alternatives; the benchmark's configuration is a file of its own."""
    from zoogen.benchmarks.run import load_benchmark
    from zoogen.benchmarks.run import run_benchmark as measure

    if dry_run:
        print(json.dumps(load_benchmark(config, list(overrides)).model_dump(mode="json"), indent=2))
        return
    measure(config, list(overrides), Console())
