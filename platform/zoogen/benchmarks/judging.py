"""How fast many classifiers are judged at once, beside a loop over them."""

import time
from collections.abc import Callable, Mapping
from statistics import median

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from zoogen.benchmarks.classifiers_config import JudgingBenchmark, JudgingCase
from zoogen.benchmarks.measured import BenchmarkConsole, Measured, torch_threads
from zoogen.benchmarks.result import Cell, Measure
from zoogen.evaluation.baselines import noisy
from zoogen.tasks.assets import MemoryAssets
from zoogen.tasks.images.structure import images_of
from zoogen.tasks.images.task import ImagesTask

BATCH = 256  # images in one pass of the loop
GROUPS, METRICS = ("test", "validation"), ("error", "loss")
Judged = Mapping[str, Tensor]  # `group.metric` to [K] float64

METHOD = (
    "{networks} networks judged by error and cross-entropy on all test and validation images, on one thread: as the "
    "task does it (networks in batches, frozen parts computed once), and by a loop that puts the tensors of one "
    "network after the other into a module (`load_state_dict`) and shows it the images in batches of {batch}. Both "
    "see the images in memory; the task's first call, which computes what is frozen, is not counted and stands "
    "beside. Median of {rounds} turns; ratios are medians of those within the turns."
)


def measure_judging(config: JudgingBenchmark, console: BenchmarkConsole) -> Measured:
    """Both ways in turns, for each case."""
    measures: list[Measure] = []
    rows: list[dict[str, Cell]] = []
    with torch_threads(1), console.progress("judging", "cases") as report:
        for done, case in enumerate(config.cases):
            found, row = _case(config, case)
            measures.extend(found)
            rows.append(row)
            report(done + 1, len(config.cases), {})
    method = METHOD.format(networks=config.networks, batch=BATCH, rounds=config.rounds)
    return Measured("Judging many classifiers", method, tuple(measures), tuple(rows))


def _case(config: JudgingBenchmark, case: JudgingCase) -> tuple[list[Measure], dict[str, Cell]]:
    task = ImagesTask(config.task_of(case)).using(MemoryAssets())
    name = task.canonical(case.structure)
    layout, weights = task.layout(name), _networks(config, task, name)
    ways: dict[str, Callable[[], Judged]] = {
        "task": lambda: task.score(name, weights).flat(),
        "loop": lambda: judged_one_by_one(task, name, weights),
    }
    begin = time.perf_counter()
    ways["task"]()
    first = time.perf_counter() - begin
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    results: dict[str, Judged] = {}
    for index in range(config.rounds):
        for way in sorted(ways, reverse=bool(index % 2)):  # nobody is always first
            begin = time.perf_counter()
            results[way] = ways[way]()
            seconds[way].append(time.perf_counter() - begin)
    ratio = median(loop / ours for loop, ours in zip(seconds["loop"], seconds["task"], strict=True))
    error, loss = (largest_difference(results["task"], results["loop"], metric) for metric in METRICS)
    images = {group: len(getattr(images_of(task.config, name), group)) for group in GROUPS}
    label = f"{task.label(name)}, {layout.size} weights"
    measures = [
        Measure(name=f"loop / task, {label}", value=ratio, unit="×", better="higher"),
        Measure(
            name=f"largest difference of error, {label}",
            value=error * min(images.values()),
            unit="images",
            better="lower",
            target=1.0,
        ),
    ]
    row: dict[str, Cell] = {"structure": task.label(name), "subset": " ".join(case.subset), "weights": layout.size}
    row |= {"networks": len(weights), "images": sum(images.values()), "task s": median(seconds["task"])}
    row |= {"loop s": median(seconds["loop"]), "first call s": first, "difference of loss": loss}
    return measures, row


def _networks(config: JudgingBenchmark, task: ImagesTask, name: str) -> Tensor:
    """Networks [K, D] around the structure's trunk."""
    trunk = task.trunk(name)
    if trunk is None:
        return task.untrained(name, config.networks, config.seed)
    centre = task.classifier(name).view.extract(trunk.state).unsqueeze(0)
    return noisy(task.layout(name), centre, config.noise, config.networks, config.seed)


@torch.no_grad()
def judged_one_by_one(task: ImagesTask, structure: str, weights: Tensor) -> Judged:
    """Error and loss of networks [K, D] by a plain loop."""
    found, data = task.classifier(structure), images_of(task.config, structure)
    module = found.fresh(0)
    module.load_state_dict({name: tensor[0] for name, tensor in task.complete(structure, weights[:1]).items()})
    judged = {f"{group}.{metric}": torch.zeros(len(weights)).double() for group in GROUPS for metric in METRICS}
    for k in range(len(weights)):
        module.load_state_dict(found.view.tensors(weights[k]), strict=False)  # the rest is loaded already
        for group in GROUPS:
            split = getattr(data, group)
            wrong, nats = 0, 0.0
            for images, labels in zip(split.images.split(BATCH), split.labels.split(BATCH), strict=True):
                logits = module(images)
                wrong += int((logits.argmax(1) != labels).sum())
                nats += float(cross_entropy(logits, labels, reduction="sum"))
            judged[f"{group}.error"][k], judged[f"{group}.loss"][k] = wrong / len(split), nats / len(split)
    return judged


def largest_difference(first: Judged, second: Judged, metric: str) -> float:
    """Of a metric over all groups and networks; infinite where one is finite and the other is not."""
    gaps = [(first[f"{group}.{metric}"] - second[f"{group}.{metric}"]).abs() for group in GROUPS]
    return float(torch.cat(gaps).nan_to_num(torch.inf).max())
