"""`zoogen similarity CONFIG`: from arguments to printed lines."""

from collections.abc import Sequence

from zoogen.commands.open import study_to_run
from zoogen.pipelines.layer_similarity import similarity
from zoogen.reports.layer_similarity import verdict_lines
from zoogen.reports.screen import report_lines


def run_similarity(config: str, overrides: Sequence[str], *, dry_run: bool = False) -> None:
    """Run the stage for the command line: print the verdict and where tables and figures lie."""
    study = study_to_run(config, overrides, dry_run=dry_run)
    if study is None:
        return
    with study:
        result = similarity(study)
    for line in [*verdict_lines(result.similarity), *report_lines(result.report)]:
        study.console.show(line)
