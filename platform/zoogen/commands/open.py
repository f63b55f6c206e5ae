"""What most commands begin with."""

from collections.abc import Sequence

from zoogen.pipelines.context import Study, resolved_json
from zoogen.pipelines.open import open_study


def study_to_run(config: str, overrides: Sequence[str], *, dry_run: bool) -> Study | None:
    """The study of a configuration file; in a dry run None, with the resolved configuration printed.

    Raises:
        ZoogenError: the file or an override is wrong.
    """
    study = open_study(config, overrides)
    if not dry_run:
        return study
    print(resolved_json(study.config))
    return None
