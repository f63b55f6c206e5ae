"""`zoogen finetune CONFIG`: from arguments to printed lines."""

from collections.abc import Sequence

from zoogen.commands.open import study_to_run
from zoogen.pipelines.fine_tune import fine_tune
from zoogen.reports.fine_tuning import print_fine_tuning
from zoogen.reports.screen import report_lines


def run_fine_tune(config: str, overrides: Sequence[str], *, dry_run: bool = False) -> None:
    """Run the stage for the command line: print each start's result and where table and figure lie."""
    study = study_to_run(config, overrides, dry_run=dry_run)
    if study is None:
        return
    with study:
        result = fine_tune(study)
    print_fine_tuning(result.fine_tuning, study.console.out)
    for line in report_lines(result.report):
        study.console.show(line)
