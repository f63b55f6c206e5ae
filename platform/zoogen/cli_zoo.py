"""The `zoogen zoo` commands, and what they share with all others."""

from collections.abc import Mapping
from typing import Annotated

import typer

from zoogen.splits import Split

ConfigFile = Annotated[
    str, typer.Argument(metavar="CONFIG", help="YAML file, for example configs/genflownet/quick.yaml")
]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides, for example zoo.runs=8")
]
SweepFile = Annotated[
    str, typer.Argument(metavar="SWEEP", help="YAML file, for example configs/genflownet/sweeps/steps.yaml")
]
SweepOverrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Overrides of the sweep, for example overrides.device=cuda"),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the resolved configuration as JSON and do nothing.")]

zoo_app = typer.Typer(help="Look into a zoo: list, show, export.", no_args_is_help=True)


def print_configuration(
    config: str | None, overrides: list[str] | None, files: Mapping[str, str] | None = None
) -> None:
    """The dry run of a command."""
    from zoogen.commands.dry_run import print_configuration as command

    command(config, overrides or [], files or {})


@zoo_app.command("ls")
def zoo_ls(config: ConfigFile, overrides: Overrides = None) -> None:
    """The zoos under the artifact root, one line each."""
    from zoogen.commands.zoo import zoo_ls as command

    command(config, overrides or [])


@zoo_app.command("show")
def zoo_show(
    config: ConfigFile,
    overrides: Overrides = None,
    structure: Annotated[str | None, typer.Option(help="Only this structure.")] = None,
) -> None:
    """One line per run: seed, split, checkpoints, quality of the last."""
    from zoogen.commands.zoo import zoo_show as command

    command(config, overrides or [], structure)


@zoo_app.command("export")
def zoo_export(
    config: ConfigFile,
    overrides: Overrides = None,
    out: Annotated[
        str, typer.Option(help="A name ending in .parquet or .csv (rows for pandas), or a folder for safetensors.")
    ] = "zoo.parquet",
    structure: Annotated[str | None, typer.Option(help="Only this structure.")] = None,
    split: Annotated[Split | None, typer.Option(help="Only these runs.")] = None,
    weights: Annotated[bool, typer.Option("--weights", help="Put the weights into the .parquet file, too.")] = False,
) -> None:
    """Export checkpoints: a table for pandas, or weights as safetensors, one file per structure."""
    from zoogen.commands.zoo import zoo_export as command

    command(config, overrides or [], out, structure, split, weights)
