"""What the paper's sampled metrics can tell: the same numbers from a sampler that makes no error at all."""

from statistics import mean

from zoogen.benchmarks.config import ProtocolBenchmark
from zoogen.benchmarks.measured import BenchmarkConsole, Measured
from zoogen.benchmarks.result import Measure
from zoogen.errors import ZoogenError
from zoogen.identity import derive_seed
from zoogen.reports.published.numbers import published_for
from zoogen.seeds import seeded_generator
from zoogen.tasks.hypergrid.protocol import SampledProtocol
from zoogen.tasks.hypergrid.structure import HypergridStructure
from zoogen.tasks.hypergrid.task import HypergridTask

METHOD = (
    "For every structure the number N of samples is sought at which a perfect sampler (exact draws from R/Z) reads the "
    "paper's JS divergence of GenFlowNet, by bisection over N; KL and L1 of the perfect sampler and of untrained "
    "policies are then read at the same N, means over {repeats} repetitions, stop rule {stop_rule}. Where the metrics "
    "agree with the paper's, its numbers cannot tell the generated policies from perfect ones, and where the column of "
    "untrained policies agrees too, not even from untrained ones. The paper prints L1 with few digits on C and D; its "
    "L1 on H* is ten times what any sampler can reach, probably a misprint."
)


def measure_protocol(config: ProtocolBenchmark, console: BenchmarkConsole) -> Measured:
    """The paper's numbers beside those of a perfect sampler, structure by structure."""
    task = HypergridTask(config.task)
    numbers = published_for(task.name)
    if numbers is None:
        raise ZoogenError(f"there are no published numbers for the task {task.name}")
    rows, agreeing = [], {"JS and KL": 0, "JS, KL and L1": 0}
    for label, published in numbers.results.items():
        paper = {name: published.generated[f"sampled.{name}"] for name in ("js", "kl", "l1")}
        samples, perfect = matching_samples(task, label, paper["js"], config)
        untrained = _protocol(task, label, samples, config).floors(config.seed)["untrained"]
        same = {m: abs(perfect[m] - paper[m]) <= config.tolerated * abs(paper[m]) for m in paper}
        agreeing["JS and KL"] += same["js"] and same["kl"]
        agreeing["JS, KL and L1"] += all(same.values())
        rows.append(
            {
                "structure": HypergridStructure.parse(label).label,
                "N": samples,
                **{
                    f"{metric.upper()} {who}": values[metric]
                    for metric in paper
                    for who, values in (("paper", paper), ("perfect", perfect), ("untrained", untrained))
                },
                "same": ", ".join(metric.upper() for metric in paper if same[metric]) or "none",
            }
        )
        console.say(f"{label}: N = {samples}")
    measures = tuple(
        Measure(
            name=f"structures whose {what} a perfect sampler reads within {config.tolerated:.0%}",
            value=count,
            unit=f"of {len(rows)}",
            better="higher",
        )
        for what, count in agreeing.items()
    )
    method = METHOD.format(repeats=config.repeats, stop_rule=config.task.stop_rule)
    return Measured("The paper's sampled metrics and a perfect sampler", method, measures, tuple(rows))


def matching_samples(
    task: HypergridTask, structure: str, js: float, config: ProtocolBenchmark
) -> tuple[int, dict[str, float]]:
    """The N at which a perfect sampler's mean JS comes closest to `js`, and its readings there.

    The mean JS falls with N, so bisection finds it up to the noise of the repetitions.
    """
    low, high = 1, config.most_samples
    while high - low > 1:
        middle = (low + high) // 2
        if perfect_readings(task, structure, middle, config)["js"] > js:
            low = middle
        else:
            high = middle
    ends = {samples: perfect_readings(task, structure, samples, config) for samples in (low, high)}
    best = min(ends, key=lambda samples: abs(ends[samples]["js"] - js))
    return best, ends[best]


def perfect_readings(task: HypergridTask, structure: str, samples: int, config: ProtocolBenchmark) -> dict[str, float]:
    """Mean readings of a perfect sampler with N samples."""
    protocol = _protocol(task, structure, samples, config)
    seeds = [derive_seed("perfect", config.seed, repeat) for repeat in range(config.repeats)]
    read = [protocol.of_samples(protocol.perfect_samples(seeded_generator(seed))) for seed in seeds]
    return {metric: mean(one[metric] for one in read) for metric in read[0]}


def _protocol(task: HypergridTask, structure: str, samples: int, config: ProtocolBenchmark) -> SampledProtocol:
    return SampledProtocol(task.environment(structure), task.shape(structure), samples, config.repeats)
