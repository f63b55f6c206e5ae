"""Networks and data of one's own file, and what is said when it is wrong."""

import hashlib
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from zoogen.errors import ZoogenError
from zoogen.networks.classifiers.build import checked
from zoogen.networks.classifiers.own import OWN_PATH, load_own
from zoogen.networks.classifiers.registry import classifier

GOOD = """
import numpy as np
import torch
from torch import nn

title, subset, size, channels, titles = "My net", ["head.*"], 12, 1, ["zero", "one"]


class Net(nn.Module):
    def __init__(self, channels, size, classes):
        super().__init__()
        self.body = nn.Conv2d(channels, 3, 3)
        self.head = nn.Linear(3, classes)

    def forward(self, images):
        return self.head(self.body(images).relu().mean((2, 3)))


def network(channels, size, classes):
    return Net(channels, size, classes)


def data():
    return np.zeros((4, 5, 5), dtype=np.uint8), np.array([0, 1, 0, 1])
"""
NETWORK = "from torch import nn\nimport torch\n\n\ndef network(channels, size, classes):\n    "
LINEAR = "return nn.Sequential(nn.Flatten(), nn.Linear({}, {}))"


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv(OWN_PATH, raising=False)
    return folder


def written(text: str, path: str = "own.py") -> str:
    Path(path).write_text(text)
    return path


def said(caught: pytest.ExceptionInfo[ZoogenError]) -> str:
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_a_file_offers() -> None:
    own = load_own(written(GOOD))
    assert own.source == hashlib.sha256(GOOD.encode()).hexdigest()
    assert (own.title, own.subset, own.size, own.channels) == ("My net", ("head.*",), 12, 1)
    assert own.titles == ("zero", "one") and own.data is not None
    images, labels = own.data()
    assert images.shape == (4, 5, 5) and labels.tolist() == [0, 1, 0, 1]

    spec = classifier("own", own)
    assert (spec.name, spec.title, spec.size, spec.channels, spec.source) == ("own", "My net", 12, 1, own.source)
    module = checked(spec, 1, 12, 2)
    assert [name for name, _ in module.named_parameters()] == ["body.weight", "body.bias", "head.weight", "head.bias"]
    assert tuple(module(torch.zeros(5, 1, 12, 12)).shape) == (5, 2)


def test_defaults_of_a_file_with_a_network_alone() -> None:
    own = load_own(
        written(NETWORK + "return nn.Sequential(nn.Flatten(), nn.Linear(9 * channels, classes))", "my_net.py")
    )
    assert (own.data, own.subset, own.size, own.channels, own.title) == (None, (), None, None, "my_net")
    assert classifier("own", own).size == 32
    with pytest.raises(ZoogenError, match="failed"):
        checked(classifier("own", own), 1, 32, 10)
    checked(classifier("own", own), 1, 3, 10)


def test_a_file_with_data_alone_offers_no_network() -> None:
    own = load_own(written("def data():\n    return [], []\n"))
    with pytest.raises(ZoogenError, match=r"own.py defines no network\(channels, size, classes\)"):
        classifier("own", own)
    assert classifier("cnn-small", own) == classifier("cnn-small")


def test_a_file_is_executed_once_and_again_after_a_change() -> None:
    text = "import pathlib\nwith open('count', 'a') as f:\n    f.write('x')\n" + GOOD
    first = load_own(written(text))
    assert load_own("own.py") is first and load_own("own.py", first.source) is first
    assert Path("count").read_text() == "x"
    load_own(written(text + "\n# changed\n"))
    assert Path("count").read_text() == "xx"


def test_it_travels_by_path_and_digest() -> None:
    own = load_own(written(GOOD))
    data = pickle.dumps(own)
    assert pickle.loads(data) == own
    written(GOOD + "\n# other code\n")
    with pytest.raises(ZoogenError, match="own.py is not the file that was used") as caught:
        pickle.loads(data)
    assert own.source[:16] in said(caught)


def test_files_elsewhere_are_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    ran = tmp_path / "ran"
    written(f"open({str(ran)!r}, 'w').close()\n" + GOOD, str(outside / "own.py"))
    Path("link.py").symlink_to(outside / "own.py")
    for path in (str(outside / "own.py"), "link.py", "../outside/own.py"):
        with pytest.raises(ZoogenError, match=f"is not executed.*{OWN_PATH}") as caught:
            load_own(path)
        assert said(caught).startswith(path)
    assert not ran.exists()

    monkeypatch.setenv(OWN_PATH, f"{tmp_path / 'nowhere'}:{outside}")
    assert load_own(str(outside / "own.py")).title == "My net" and ran.exists()
    assert load_own("own.py").title == "My net"  # found there, too


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "own.py defines neither network(channels, size, classes) nor data(); define one of them"),
        ("def network(:\n    pass\n", "reading own.py failed in own.py, line 1: SyntaxError: invalid syntax"),
        ("import torch\n\n\nimport no_such_package\n", "own.py, line 4: ModuleNotFoundError: No module named"),
        ("raise SystemExit('bye')\n", "reading own.py failed in own.py, line 1: SystemExit: bye"),
        ("network = 3\n", "network in own.py is int, it must be a function"),
        (GOOD + "size = '28'\n", "size in own.py is '28', it must be a positive whole number"),
        (GOOD + "channels = 2\n", "channels in own.py is 2, it must be 1 or 3"),
        (GOOD + "subset = 'head.*'\n", "subset in own.py is 'head.*', it must be a list of texts"),
        (GOOD + "title = 3\n", "title in own.py is 3, it must be a text"),
    ],
)
def test_files_that_are_wrong(text: str, message: str) -> None:
    with pytest.raises(ZoogenError) as caught:
        load_own(written(text))
    assert message in said(caught)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(ZoogenError, match="there is no file nowhere.py; set task.own") as caught:
        load_own("nowhere.py")
    said(caught)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no\\nway')", "network(1, 8, 10) failed in own.py, line 6: ValueError: no"),
        ("return 3", "the network own (own) returned int, it must return a torch.nn.Module"),
        ("return nn.Flatten()", "has no parameters"),
        (
            LINEAR.format(64, 5),
            "the head of the network own (own) has 5 outputs, the data set has 10 classes",
        ),
        ("return nn.Conv2d(1, 10, 1)", "gives [2, 10, 8, 8] for two images, it must give [2, 10]"),
        ("return nn.LSTM(8, 8)", "the network own on images of 1 x 8 x 8 failed"),
        (
            LINEAR.format(64, "next(widths)") + "\n\n\nwidths = iter((10, 11))",
            "differs between two calls, first in 1.weight; shapes must be the same",
        ),
        (
            "m = nn.Linear(64, 10)\n    m.bias.data += next(count)\n    return nn.Sequential(nn.Flatten(), m)"
            "\n\n\nimport itertools\ncount = itertools.count()",
            "draws 1.bias anew for the same seed; take random numbers from torch's generator",
        ),
        (LINEAR.format(64, 10) + ".double()", "1.weight of the network own (own) is float64"),
        (
            "m = nn.Linear(64, 10)\n    m.bias.data += float('nan')\n    return nn.Sequential(nn.Flatten(), m)",
            "untrained, the network own (own) gives NaN or infinity",
        ),
    ],
)
def test_networks_that_are_wrong(body: str, message: str) -> None:
    spec = classifier("own", load_own(written(NETWORK + body)))
    with pytest.raises(ZoogenError) as caught:
        checked(spec, 1, 8, 10)
    assert message in said(caught)


FORWARD = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(64, 10)

    def forward(self, images):
        {line}


def network(channels, size, classes):
    return Net()
"""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("return (self.head(images.flatten(1)),)", "gives tuple, it must give a tensor [B, 10]"),
        ("return self.tail(images)", "on images of 1 x 8 x 8 failed in own.py, line 11: AttributeError: 'Net'"),
    ],
)
def test_forwards_that_are_wrong(line: str, message: str) -> None:
    spec = classifier("own", load_own(written(FORWARD.format(line=line))))
    with pytest.raises(ZoogenError) as caught:
        checked(spec, 1, 8, 10)
    assert message in said(caught)


def test_networks_that_cannot_be_batched_are_taken() -> None:
    line = "return self.head(images.flatten(1)) * (2 if self.head.bias.sum() > 0 else 1)"
    assert isinstance(checked(classifier("own", load_own(written(FORWARD.format(line=line)))), 1, 8, 10), nn.Module)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return 1 / 0", "data() failed in own.py, line 2: ZeroDivisionError: division by zero"),
        ("return [1, 2, 3]", "data() in own.py returned list, it must return (images, labels)"),
    ],
)
def test_data_that_is_wrong(body: str, message: str) -> None:
    own = load_own(written(f"def data():\n    {body}\n"))
    assert own.data is not None
    with pytest.raises(ZoogenError) as caught:
        own.data()
    assert message in said(caught)
