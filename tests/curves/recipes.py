"""Loss curves of the quick studies' recipes, shortened: what every part of them loses, step by step.

Make the stored ones again, after a change that is meant to change training:

    python -m tests.curves.recipes
"""

import io
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console as Terminal

from zoogen.console import Console
from zoogen.pipelines import stages
from zoogen.pipelines.open import open_study
from zoogen.pipelines.stages import load_generator

FOLDER = Path(__file__).parent
CONFIGS = FOLDER.parents[1] / "configs"
Curves = dict[str, list[float]]  # what was trained to its loss at each checkpoint, or each logged step

_SHORT = ("ray=null", "tracking.kind=none", "device=cpu", "zoo.validation_runs=0", "zoo.test_runs=0")
_LOOPS = tuple(
    f"{part}.loop.{key}"
    for part in ("autoencoder", "generator")
    for key in ("iterations=40", "log_every=10", "schedule.warmup=10")
)
RECIPES = {
    "hypergrid": (
        "genflownet/padded.yaml",
        ("zoo.structures=[C]", "zoo.runs=3", "task.training.iterations=120", "task.training.window=1.0", *_LOOPS),
    ),
    "classifier": (
        "pdiff/quick.yaml",
        ("task.training.iterations=40", "task.collection.iterations=12", "autoencoder.latent=2", *_LOOPS[3:]),
    ),
}


def curves(recipe: str) -> Curves:
    """Train the recipe in a folder of its own, and read what was logged."""
    path, overrides = RECIPES[recipe]
    with tempfile.TemporaryDirectory() as root:
        console = Console(*(Terminal(file=io.StringIO()) for _ in range(2)))
        arguments = [*overrides, *_SHORT, f"artifacts={root}"]
        with open_study(str(CONFIGS / path), arguments, console) as study:
            stages.build_zoo(study)
            stages.train_autoencoder(study)
            stages.train_generator(study)
            rows = study.zoo.select(study.targets[0].structure, "train")
            generator = load_generator(study)
            histories = {"autoencoder": generator.codec.history, "generator": generator.history}
            logged = {name: [entry["loss"] for entry in history] for name, history in histories.items()}
            losses, numbers = rows.metrics["training.loss"], rows.runs.unique().tolist()
            runs = {f"run {run}": losses[rows.runs == run].tolist() for run in numbers}
    return {**runs, **logged}


def stored(recipe: str) -> Path:
    """Where a recipe's curves are kept."""
    return FOLDER / f"{recipe}.json"


if __name__ == "__main__":
    for name in sys.argv[1:] or RECIPES:
        stored(name).write_text(json.dumps(curves(name), indent=1) + "\n")
