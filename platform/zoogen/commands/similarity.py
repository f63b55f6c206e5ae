"""`zoogen similarity CONFIG`: from arguments to printed lines."""

from collections.abc import Sequence

from zoogen.pipelines.layer_similarity import similarity
from zoogen.pipelines.open import open_study
from zoogen.reports.layer_similarity import verdict_lines
from zoogen.reports.screen import report_lines


def run_similarity(config: str, overrides: Sequence[str]) -> None:
    """Run the stage for the command line: print the verdict and where tables and figures lie."""
    with open_study(config, overrides) as study:
        result = similarity(study)
    for line in [*verdict_lines(result.similarity), *report_lines(result.report)]:
        study.console.show(line)
