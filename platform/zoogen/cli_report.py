"""The command `zoogen report`."""

from typing import Annotated

import typer


def report(
    evaluations: Annotated[
        list[str],
        typer.Argument(
            metavar="EVALUATION [KEY=VALUE]...",
            help="The YAML file of a study or sweep and overrides of it, an evaluation's digest or its beginning, an "
            "evaluation.json, or a report's folder; several are put side by side.",
        ),
    ],
    out: Annotated[
        str | None, typer.Option(help="Folder to write; without it, a name under the artifact root's reports/.")
    ] = None,
    artifacts: Annotated[
        str | None, typer.Option(help="Artifact root of digests (artifacts/), and of studies instead of their own.")
    ] = None,
) -> None:
    """Tables and figures of evaluations beside the paper's numbers, several side by side."""
    from zoogen.commands.report import report as command
    from zoogen.console import Console

    command(evaluations, out, artifacts, Console())
