"""Peak memory of training autoencoders on vectors of many lengths, beside p-diff's Table 13."""

from zoogen.autoencoders.config import TrainedAutoencoderBase
from zoogen.benchmarks.measured import BenchmarkConsole, Measured
from zoogen.benchmarks.result import Cell, Measure
from zoogen.benchmarks.training_memory import MemoryFigures, OverLimit, measure_memory
from zoogen.benchmarks.weights_config import MemoryBenchmark, MemoryCase

METHOD = (
    "Every case trains its autoencoder on {checkpoints} synthetic checkpoints (combinations of a few directions, and "
    "noise) in a process of its own that may take {limit:g} GB; the peak is that of {what}. The paper's megabytes are "
    "those of its GPU (p-diff, Table 13)."
)
_WHAT = {
    "cpu": "the whole process, interpreter, libraries and checkpoints included",
    "cuda": "what torch reserved on the GPU",
}
_GIB_IN_MB = 2**30 / 1e6


def measure_memories(config: MemoryBenchmark, console: BenchmarkConsole) -> Measured:
    """One process after the other."""
    measures: list[Measure] = []
    rows: list[dict[str, Cell]] = []
    with console.progress("memory", "cases") as report:
        for done, case in enumerate(config.cases):
            figures = _figures(config, case)
            rows.append(_row(config, case, figures))
            if case.target is not None:
                gigabytes = float("inf") if figures is None else figures.peak_gib * _GIB_IN_MB / 1e3
                measures.append(
                    Measure(name=f"peak of {case.name}", value=gigabytes, unit="GB", better="lower", target=case.target)
                )
            report(done + 1, len(config.cases), {} if figures is None else {"GiB": figures.peak_gib})
    method = METHOD.format(checkpoints=config.checkpoints, limit=config.limit, what=_WHAT[config.device])
    return Measured("Memory of training autoencoders", method, tuple(measures), tuple(rows))


def _figures(config: MemoryBenchmark, case: MemoryCase) -> MemoryFigures | None:
    """What the training takes, None where that is more than the limit."""
    try:
        return measure_memory(
            case.measured,
            case.parameters,
            case.checkpoints or config.checkpoints,
            seed=config.seed,
            device=config.device,
            threads=config.threads,
            limit_gib=config.limit * 1e9 / 2**30,
        )
    except OverLimit:
        return None


def _row(config: MemoryBenchmark, case: MemoryCase, figures: MemoryFigures | None) -> dict[str, Cell]:
    autoencoder = case.measured
    row: dict[str, Cell] = {
        "case": case.name,
        "autoencoder": autoencoder.kind,
        "parameters": case.parameters,
        "checkpoints": case.checkpoints or config.checkpoints,
        "latent": getattr(autoencoder, "latent", None) if figures is None else figures.latent,
        "batch": autoencoder.loop.batch_size if isinstance(autoencoder, TrainedAutoencoderBase) else None,
        "iterations": autoencoder.iterations,
        "peak MB": f"over {1000 * config.limit:.0f}",
        "paper MB": case.paper,
    }
    if figures is not None:
        row |= {"peak MB": figures.peak_gib * _GIB_IN_MB, "s": figures.seconds}
        row |= {"loss, first": figures.first_loss, "loss, last": figures.last_loss, "error / spread": figures.error}
    return row
