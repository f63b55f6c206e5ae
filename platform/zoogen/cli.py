"""The command line: `zoogen STAGE CONFIG [key=value …]`.

Imports of everything heavy are inside the commands, so that help and errors come at once.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from zoogen import __version__
from zoogen.cli_report import report
from zoogen.cli_status import guarded
from zoogen.cli_zoo import ConfigFile, DryRun, Overrides, SweepFile, SweepOverrides, print_configuration, zoo_app
from zoogen.errors import ZoogenError
from zoogen.exits import Exit, leave, signals_raise
from zoogen.secrets import masked_output
from zoogen.unexpected import TRACEBACK_VARIABLE

app = typer.Typer(
    name="zoogen",
    help="Train zoos of network checkpoints, learn to generate new weights from them, judge the result.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(zoo_app, name="zoo")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"zoogen {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def _stage(name: str, config: str, overrides: list[str] | None, dry_run: bool) -> None:
    if dry_run:
        return print_configuration(config, overrides)
    from zoogen.commands.run import run_stage

    return run_stage(name, config, overrides or [])


@app.command("build-zoo")
def build_zoo(config: ConfigFile, overrides: Overrides = None, dry_run: DryRun = False) -> None:
    """Train the zoo: cohorts in parallel on Ray; the same command goes on where it was stopped."""
    return _stage("build_zoo", config, overrides, dry_run)


@app.command("train-autoencoder")
def train_autoencoder(config: ConfigFile, overrides: Overrides = None, dry_run: DryRun = False) -> None:
    """Train the autoencoder on the zoo."""
    return _stage("train_autoencoder", config, overrides, dry_run)


@app.command("train-generator")
def train_generator(config: ConfigFile, overrides: Overrides = None, dry_run: DryRun = False) -> None:
    """Train the generator on the zoo's latents."""
    return _stage("train_generator", config, overrides, dry_run)


@app.command()
def generate(
    config: Annotated[
        str | None, typer.Argument(metavar="[CONFIG]", help="YAML file; with --generator it is left out.")
    ] = None,
    overrides: Overrides = None,
    generator: Annotated[
        str | None, typer.Option(help="Generate from this generator file alone, wherever it came from.")
    ] = None,
    structure: Annotated[
        str | None, typer.Option(help="Structure, for example C or 36,12,3,6; without it, all of the study.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many networks.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the generator.")] = 0,
    out: Annotated[
        str | None, typer.Option(help="File to write (safetensors); without it, a name under the artifact root.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Write whole networks, whatever of them is not generated included.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Generate weights and write them as safetensors."""
    if generator is not None:
        if config is not None:
            raise ZoogenError(f"give CONFIG ({config}) or --generator FILE, not both: such a file says all it needs")
        if dry_run:
            return print_configuration(None, None, {"generator": generator})
        from zoogen.commands.weights import run_generate_from_file

        return run_generate_from_file(generator, structure, count, seed, out, whole=whole)
    if config is None:
        raise ZoogenError("nothing to generate from: give CONFIG, or --generator FILE")
    if dry_run:
        return print_configuration(config, overrides)
    from zoogen.commands.weights import run_generate

    return run_generate(config, overrides or [], structure, count, seed, out, whole=whole)


@app.command()
def evaluate(
    config: Annotated[
        str | None, typer.Argument(metavar="[CONFIG]", help="YAML file; with --weights it may be left out.")
    ] = None,
    overrides: Overrides = None,
    weights: Annotated[str | None, typer.Option(help="Judge this safetensors file, wherever it came from.")] = None,
    json: Annotated[str | None, typer.Option(help="Write the judgement of --weights to this JSON file.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Judge the generator of a study, or any weights file."""
    values = overrides or []
    if config is not None and "=" in config and not Path(config).exists():
        values, config = [config, *values], None
    if weights is not None:
        if config is None and values:
            raise ZoogenError(f"overrides ({values[0]} …) change a configuration: give CONFIG, too")
        if dry_run:
            return print_configuration(config, values, {"weights": weights})
        from zoogen.commands.weights import run_judge

        return run_judge(weights, json, config, values)
    if json is not None:
        raise ZoogenError("--json belongs to --weights FILE; a study's evaluation is written under its artifact root")
    if config is None:
        raise ZoogenError("nothing to evaluate: give CONFIG, or --weights FILE")
    return _stage("evaluate", config, values, dry_run)


@app.command()
def pipeline(config: ConfigFile, overrides: Overrides = None, dry_run: DryRun = False) -> None:
    """All stages: zoo, autoencoder, generator, evaluation; verdicts and a report."""
    return _stage("pipeline", config, overrides, dry_run)


@app.command()
def similarity(config: ConfigFile, overrides: Overrides = None, dry_run: DryRun = False) -> None:
    """Compare the layers of policies (CKA) with those of small vision networks; count parameters."""
    if dry_run:
        return print_configuration(config, overrides)
    from zoogen.commands.similarity import run_similarity

    return run_similarity(config, overrides or [])


@app.command()
def finetune(
    config: ConfigFile,
    overrides: Overrides = None,
    weights: Annotated[str | None, typer.Option(help="Train on from this safetensors file alone.")] = None,
    out: Annotated[
        str | None, typer.Option(help="With --weights: file to write; without it, a name under the artifact root.")
    ] = None,
    iterations: Annotated[
        int | None, typer.Option(min=1, help="With --weights: instead of fine_tuning.iterations.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Train on from generated, nearest, averaged, random and untrained networks, or from any weights file."""
    if weights is None and (out is not None or iterations is not None):
        raise ZoogenError("--out and --iterations belong to --weights FILE; for a study set fine_tuning.iterations")
    if dry_run:
        return print_configuration(config, overrides)
    if weights is not None:
        from zoogen.commands.weights import run_fine_tune_file

        return run_fine_tune_file(config, overrides or [], weights, out, iterations)
    from zoogen.commands.fine_tune import run_fine_tune

    return run_fine_tune(config, overrides or [])


app.command()(report)


@app.command()
def sweep(
    config: SweepFile,
    overrides: SweepOverrides = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an earlier go; it is an error if there was none.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the trials as JSON and do nothing.")] = False,
) -> None:
    """Many variants of a study through Ray Tune: live table, then a table and a figure; finished trials are kept."""
    from zoogen.sweeps.run import run_sweep

    run_sweep(config, overrides or [], resume=resume, dry_run=dry_run)


@app.command()
def benchmark(config: ConfigFile, overrides: Overrides = None, dry_run: DryRun = False) -> None:
    """Measure speed and quality against named alternatives, each a ratio in one go."""
    from zoogen.commands.benchmark import run_benchmark

    run_benchmark(config, overrides or [], dry_run=dry_run)


@app.command()
def schema() -> None:
    """Print the JSON schema of the configuration."""
    from zoogen.commands.run import print_schema

    print_schema()


@app.command()
def ui(
    config: ConfigFile,
    overrides: Overrides = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 5000,
) -> None:
    """Open the MLflow UI on the study's MLflow runs, on this machine only (127.0.0.1)."""
    from zoogen.commands.ui import run_ui

    run_ui(config, overrides or [], port)


@masked_output()
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and raise SystemExit with an `Exit`; errors of the user are one line."""
    if os.environ.get(TRACEBACK_VARIABLE):
        try:
            sys.exit(app(args=arguments, prog_name="zoogen", standalone_mode=False) or Exit.DONE)
        except Exception:
            traceback.print_exc()  # masked, as all output
            sys.exit(Exit.FAULT)
    with signals_raise():
        status = guarded(lambda: app(args=arguments, prog_name="zoogen", standalone_mode=False), arguments)
    sys.exit(status)


def run(arguments: Sequence[str] | None = None) -> None:
    """What the process of a command or of a job does: `main`, and then it ends."""
    try:
        main(arguments)
    except SystemExit as stop:
        if not isinstance(stop.code, int):
            raise
        leave(stop.code)


if __name__ == "__main__":
    run()
