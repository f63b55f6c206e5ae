"""The import contracts of pyproject.toml, and what importing a room may cost."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {"PYTHONPATH": str(ROOT / "platform"), "PATH": "/usr/bin:/bin"}
COMPUTE_ROOMS = ("weights", "networks", "tasks", "zoo", "training", "autoencoders", "generators", "evaluation")


def python(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_import_contracts_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "platform"))
    from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None) == EXIT_STATUS_SUCCESS


def test_compute_rooms_run_without_ray_and_mlflow() -> None:
    code = f"""
import importlib, pkgutil, sys
sys.modules["ray"] = sys.modules["mlflow"] = None  # importing either now raises
count = 0
for room in {COMPUTE_ROOMS!r}:
    package = importlib.import_module("zoogen." + room)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
        count += 1
print(count)
"""
    assert int(python(code)) > 10


def test_importing_everything_leaves_the_start_method_and_the_threads_alone() -> None:
    # torchgfn changes the multiprocessing start method when it is imported. One module subclasses its
    # environments, so that no other may import that one at its top.
    code = """
import importlib, multiprocessing, pkgutil, sys
import zoogen
for module in pkgutil.walk_packages(zoogen.__path__, "zoogen."):
    if "benchmarks" not in module.name and not module.name.endswith(".torchgfn_env"):
        importlib.import_module(module.name)
print("gfn" in sys.modules, multiprocessing.get_start_method(allow_none=True))
"""
    assert python(code) == "False None"


def test_help_is_fast_because_heavy_packages_are_not_imported() -> None:
    code = """
import sys
from zoogen.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
print("|", [name for name in ("torch", "ray", "mlflow", "numpy", "pydantic", "pandas") if name in sys.modules])
"""
    assert python(code).endswith("| []")


def test_a_dry_run_imports_nothing_that_computes() -> None:
    studies = [
        str(path)
        for path in sorted((ROOT / "configs").rglob("*.yaml"))
        if path.parent.name not in ("benchmarks", "sweeps")
    ]
    code = f"""
import sys
from zoogen.cli import main
for command in ("pipeline", "build-zoo", "evaluate", "generate", "similarity", "finetune"):
    for study in {studies!r}:
        try:
            main([command, study, "--dry-run"])
        except SystemExit as stop:
            assert not stop.code, (command, study, stop.code)
heavy = ("torch", "ray", "mlflow", "numpy", "pandas", "pyarrow", "sklearn", "matplotlib", "transformers", "diffusers")
print("|", [name for name in heavy if name in sys.modules])
"""
    assert len(studies) > 10 and python(code).endswith("| []")
