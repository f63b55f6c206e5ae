"""`zoogen finetune CONFIG`: from arguments to printed lines."""

from collections.abc import Sequence

from zoogen.pipelines.fine_tune import fine_tune
from zoogen.pipelines.open import open_study
from zoogen.reports.fine_tuning import print_fine_tuning
from zoogen.reports.screen import report_lines


def run_fine_tune(config: str, overrides: Sequence[str]) -> None:
    """Run the stage for the command line: print each start's result and where table and figure lie."""
    with open_study(config, overrides) as study:
        result = fine_tune(study)
    print_fine_tuning(result.fine_tuning, study.console.out)
    for line in report_lines(result.report):
        study.console.show(line)
