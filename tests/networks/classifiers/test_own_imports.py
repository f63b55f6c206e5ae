"""Modules that one's own file imports: found beside it, kept apart, counted, and refused where they cannot be."""

import importlib
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from zoogen.errors import ZoogenError
from zoogen.networks.classifiers.own import load_own
from zoogen.networks.classifiers.own_imports import OWN_PATH

NETWORK = "def network(channels, size, classes):\n    {body}\n"
BUILD = "from torch import nn\n\ndef build(channels, size, classes):\n    return nn.Linear(channels, {width})\n"


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv(OWN_PATH, raising=False)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(folder))])
    return folder


def written(files: dict[str, str]) -> None:
    for path, text in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)


def width(path: str = "own.py") -> int:
    network = load_own(path).network
    assert network is not None
    return network(1, 1, 1).out_features  # type: ignore[return-value]


@pytest.mark.parametrize(
    "statement",
    [
        "from helpers import build as network",
        "from helpers import *\nnetwork = build",
        "import helpers\nnetwork = helpers.build",
        "import helpers as other\nnetwork = other.build",
        "from .helpers import build as network",
        "from . import helpers\nnetwork = helpers.build",
        "from package import build as network",
        "import package.inner.deep\nnetwork = package.inner.deep.build",
        "import package.inner.deep as deep\nnetwork = deep.build",
        "from package.inner import deep\nnetwork = deep.build",
        "from package.inner import *\nnetwork = deep.build",
        "from plain.deep import build as network",
        NETWORK.format(body="from helpers import build; return build(channels, size, classes)"),
        NETWORK.format(body="import package.inner.deep as deep; return deep.build(channels, size, classes)"),
        "try:\n    import no_such_module\nexcept ImportError:\n    from helpers import build as network",
    ],
)
@pytest.mark.parametrize("folder", [".", "nets"])
def test_every_form_of_import_is_found_and_counted(statement: str, folder: str) -> None:
    place = Path(folder)
    build = BUILD.format(width=3)
    files = {
        "own.py": statement + "\n",
        "helpers.py": build,
        "package/__init__.py": "from .inner.deep import build\n",
        "package/inner/__init__.py": "__all__ = ['deep']\n",
        "package/inner/deep.py": "from helpers import build\n",
        "plain/deep.py": "from package.inner.deep import build\n",  # a folder without __init__.py
    }
    written({str(place / path): text for path, text in files.items()})
    own = str(place / "own.py")
    before = load_own(own).source
    assert width(own) == 3 and load_own(own).source == before
    (place / "helpers.py").write_text(BUILD.format(width=4))
    assert load_own(own).source != before and width(own) == 4
    with pytest.raises(
        ZoogenError, match=r"own.py is not the file that was used: its digest \(with what it imports and opens\)"
    ):
        load_own(own, before)
    assert "helpers" not in sys.modules and "package" not in sys.modules


def test_modules_of_two_folders_are_kept_apart() -> None:
    for number in (1, 2):
        written({f"f{number}/own.py": "from helpers import build as network\n"})
        written({f"f{number}/helpers.py": BUILD.format(width=number)})
    assert [width(f"f{number}/own.py") for number in (1, 2, 1)] == [1, 2, 1]


def test_modules_of_the_allowed_folders_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "library"
    written({"nets/own.py": "import shared, listed\nfrom common import build as network\n"})
    written({"shared.py": "", str(library / "common.py"): BUILD.format(width=5), "lib/listed.py": ""})
    monkeypatch.setenv(OWN_PATH, str(library))
    monkeypatch.syspath_prepend(str(Path("lib").resolve()))
    assert width("nets/own.py") == 5
    for path in ("shared.py", str(library / "common.py"), "lib/listed.py"):
        before = load_own("nets/own.py").source
        Path(path).write_text(Path(path).read_text() + "# more\n")
        assert load_own("nets/own.py").source != before, path


def test_installed_packages_and_the_standard_library_stay_what_they_are() -> None:
    written({"own.py": "import json, torch, zoogen\n" + BUILD.replace("build", "network").format(width=2)})
    written({"json.py": "raise RuntimeError\n", "torch/notes.txt": "", "zoogen.py": "raise RuntimeError\n"})
    own = load_own("own.py")
    assert width() == 2 and own.source == load_own("own.py").source
    Path("json.py").write_text("x = 1\n")
    assert load_own("own.py") is own, "none of these is a part of it"


def test_compiled_files_of_an_earlier_state_are_not_used() -> None:
    written({"own.py": "from helpers import build as network\n", "helpers.py": BUILD.format(width=1)})
    stamp = Path("helpers.py").stat()
    assert width() == 1
    Path("helpers.py").write_text(BUILD.format(width=2))
    import os

    os.utime("helpers.py", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert width() == 2 and not list(Path().rglob("*.pyc"))


def test_errors_name_the_line_of_the_module() -> None:
    written({"own.py": "import helpers\n", "helpers.py": "\nx = 1 / 0\n"})
    with pytest.raises(ZoogenError, match=r"reading own.py failed in helpers.py, line 2: ZeroDivisionError"):
        load_own("own.py")
    Path("helpers.py").write_text("def build(*_):\n    raise ValueError('no')\n")
    Path("own.py").write_text("from helpers import build as network\n")
    with pytest.raises(ZoogenError, match=r"network\(1, 1, 1\) failed in helpers.py, line 2: ValueError: no"):
        width()


def test_what_cannot_be_counted_is_refused(monkeypatch: pytest.MonkeyPatch, workplace: Path) -> None:
    monkeypatch.syspath_prepend(str(workplace))
    call = "import importlib; return importlib.import_module('hidden').build(channels, size, classes)"
    written({"own.py": NETWORK.format(body=call), "hidden.py": BUILD.format(width=1)})
    for _ in range(2):
        with pytest.raises(ZoogenError, match="own.py imports hidden .* write an import statement"):
            width()
    written({"own.py": "import importlib\nnetwork = importlib.import_module('hidden').build\n"})
    with pytest.raises(ZoogenError, match="own.py imports hidden"):
        load_own("own.py")
    importlib.invalidate_caches()


def test_files_that_are_opened_on_reading_are_counted() -> None:
    text = "import json\nimport numpy as np\nfrom torch import nn\n\nheld = json.load(open('held.json'))\n"
    text += "table = np.load('table.npy')\nopen('log', 'a').write('x')\n" + BUILD.replace("build", "network")
    written({"own.py": text.format(width="held['width']"), "held.json": '{"width": 2}', "unread.json": "{}"})
    np.save("table.npy", np.zeros(3))
    before = load_own("own.py")
    assert width() == 2 and load_own("own.py") is before and Path("log").read_text() == "x"
    Path("unread.json").write_text("[]")
    assert load_own("own.py") is before
    np.save("table.npy", np.ones(3))
    assert (after := load_own("own.py").source) != before.source
    Path("held.json").write_text('{"width": 3}')
    assert width() == 3 and load_own("own.py").source not in (before.source, after)


def test_modules_elsewhere_are_not_executed(tmp_path: Path) -> None:
    written({str(tmp_path / "outside.py"): "open('ran', 'w').close()\n", "own.py": "import outside\n" + NETWORK})
    Path("outside.py").symlink_to(tmp_path / "outside.py")
    with pytest.raises(ZoogenError, match=f"outside.py is not executed.*{OWN_PATH}"):
        load_own("own.py")
    assert not Path("ran").exists()


def test_modules_and_their_objects_travel() -> None:
    written({"own.py": "from helpers import build as network\n", "helpers.py": BUILD.format(width=3)})
    own = load_own("own.py")
    assert pickle.loads(pickle.dumps(own)) == own
    assert torch.is_tensor(own.network(1, 1, 1).weight)  # type: ignore[misc,union-attr]
