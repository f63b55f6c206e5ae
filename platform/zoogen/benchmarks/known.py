"""How generated policies compare with held-out runs on known structures."""

from pathlib import Path

from zoogen.benchmarks.config import KnownBenchmark
from zoogen.benchmarks.measured import BenchmarkConsole, Measured
from zoogen.benchmarks.result import Measure
from zoogen.errors import ZoogenError
from zoogen.evaluation.result import Evaluation

METHOD = (
    "Ratio of the median {metric} of {count} generated policies to that of held-out runs, on structures that the zoo "
    "holds, from the evaluation {inputs}."
)


def measure_known(config: KnownBenchmark, console: BenchmarkConsole) -> Measured:
    """Ratios of medians from an evaluation.

    Raises:
        ZoogenError: the file is missing, no evaluation, or holds no such comparison.
    """
    path = Path(config.evaluation)
    try:
        evaluation = Evaluation.from_json(path.read_bytes(), str(path), sealed=False)
    except OSError as error:
        raise ZoogenError(f"cannot read the evaluation {path}: {error.strerror}; run `zoogen evaluate` first") from None
    ratios = evaluation.ratios_of_all()
    mine = [result for result in evaluation.results if result.known and result.method == config.method]
    found = [result for result in mine if (result.structure, result.method) in ratios]
    if not found:
        raise ZoogenError(f"{path} compares no {config.method} networks with held-out runs on a known structure")
    measures, rows = [], []
    for result in found:
        ratio = ratios[result.structure, result.method]
        name = f"{config.method} / held-out, {result.label}"
        measures.append(Measure(name=name, value=ratio, unit="×", better="lower", target=config.target))
        held_out = evaluation.conventional(result.structure)
        rows.append(
            {
                "structure": result.label,
                f"{config.method} N": result.count,
                f"{config.method} median": result.summary().median,
                "held-out N": held_out.count if held_out else None,
                "held-out median": held_out.summary().median if held_out else None,
                "ratio": ratio,
            }
        )
    inputs = ", ".join(f"{k} {v}" for k, v in evaluation.inputs.model_dump().items() if v and k != "study")
    method = METHOD.format(metric=found[0].primary, count=found[0].count, inputs=f"({inputs})" if inputs else "")
    return Measured("Generated against held-out policies", method, tuple(measures), tuple(rows), evaluation.notices)
