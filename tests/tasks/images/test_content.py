"""What is loaded names what is made of it: corrected data, networks and code give other names, nothing else does."""

import json
import os
import pickle
import shutil
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from tests.tasks.images.small import RUNS, SMALL, made

from zoogen.errors import ZoogenError
from zoogen.identity import digest
from zoogen.orchestration.worker import CohortFailure, CohortWorker
from zoogen.tasks.assets import MemoryAssets
from zoogen.tasks.images.content import shared_contents
from zoogen.tasks.images.data import load
from zoogen.tasks.images.data.splits import hash_of_images
from zoogen.tasks.images.task import ImagesTask
from zoogen.tasks.images.trunk import trunk_key
from zoogen.tasks.records import CohortSpec
from zoogen.zoo.plan import ZooConfig, plan_zoo
from zoogen.zoo.store import ArtifactStore

DATA = """
import numpy as np

def data():
    held = np.load("data.npz")
    return held["images"], held["labels"]
"""
NETWORK = """
import json
import torch
from torch import nn
from parts import shapes
from parts.layers import Scaled

class Net(nn.Module):
    def __init__(self, channels, size, classes):
        super().__init__()
        self.body = nn.Linear(channels * size**2, shapes.WIDTH)
        self.body.load_state_dict(torch.load("body.pt", weights_only=True))
        self.drop = nn.Dropout(json.load(open("settings.json"))["drop"])
        self.register_buffer("mask", torch.load("mask.pt", weights_only=True), persistent=False)
        self.head = nn.Linear(shapes.WIDTH, classes)

    def forward(self, images):
        return Scaled()(self.head(self.drop(self.body(images.flatten(1)).relu() * self.mask)))

def network(channels, size, classes):
    import late
    return late.same(Net(channels, size, classes))

size = 8
"""
MODULES = {
    "parts/__init__.py": "",
    "parts/shapes.py": "WIDTH = 6\n",
    "parts/layers.py": "from torch import nn\nfrom .numbers import SLOPE\nfrom parts import shapes\n\n"
    "class Scaled(nn.Module):\n    def forward(self, x):\n        return SLOPE * x\n",
    "parts/numbers.py": "SLOPE = 1.0\n",
    "late.py": "def same(net):\n    return net\n",
}
OWN_NETWORK, OWN_DATA = "own@digits", "cnn-small@own"


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def write_data(change: Callable[[np.ndarray, np.ndarray], None] | None = None) -> None:
    digits = load_digits()
    images, labels = (digits.images[:200] * 15).astype(np.uint8), digits.target[:200].copy()
    if change is not None:
        change(images, labels)
    np.savez("data.npz", images=images, labels=labels)


def write_network() -> None:
    Path("own.py").write_text(NETWORK)
    for path, text in MODULES.items():
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(text)
    torch.save({"weight": torch.full((6, 64), 0.1), "bias": torch.zeros(6)}, "body.pt")
    torch.save(torch.ones(6), "mask.pt")
    Path("settings.json").write_text(json.dumps({"drop": 0.1}))


def names(task: ImagesTask, structure: str) -> tuple[str, str, str]:
    """Key of the trunk, digests of a cohort and of a zoo."""
    resolved = task.resolved_for(structure)
    plan = plan_zoo(ZooConfig(structures=(structure,), runs=2, validation_runs=0, test_runs=0), task)
    return trunk_key(resolved, structure), CohortSpec(resolved, structure, RUNS).digest, plan.digest


def require_other_names(structure: str, change: Callable[[], object], **config: object) -> None:
    before = names(made(**config), structure)
    assert names(made(**config), structure) == before, "the same content has the same names"
    change()
    assert all(one != other for one, other in zip(before, names(made(**config), structure), strict=True))


def one_label(_images: np.ndarray, labels: np.ndarray) -> None:
    labels[7] = (labels[7] + 1) % 10


def one_pixel(images: np.ndarray, _labels: np.ndarray) -> None:
    images[199, 0, 0] += 1


@pytest.mark.parametrize("change", [one_label, one_pixel])
def test_a_corrected_array_is_another_zoo(change: Callable[[np.ndarray, np.ndarray], None]) -> None:
    Path("own.py").write_text(DATA)
    write_data()
    require_other_names(OWN_DATA, lambda: write_data(change), own="own.py")


def write_pictures(folder: Path) -> None:
    digits = load_digits()
    for split, indices in (("train", range(80)), ("test", range(80, 120))):
        for index in indices:
            path = folder / split / str(digits.target[index]) / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((digits.images[index] * 15).astype(np.uint8)).save(path)


def repainted() -> None:
    """Another picture of the same name, size and time."""
    path = next(Path("sets/mnist/test").rglob("*.png"))
    before = path.stat()
    pixels = np.array(Image.open(path))
    pixels[0, 0] ^= 1
    Image.fromarray(pixels).save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def relabelled() -> None:
    path = next(Path("sets/mnist/train/3").glob("*.png"))
    shutil.move(path, Path("sets/mnist/train/5") / path.name)


@pytest.mark.parametrize("change", [repainted, relabelled])
def test_a_corrected_folder_of_images_is_another_zoo(change: Callable[[], None]) -> None:
    write_pictures(Path("sets/mnist"))
    require_other_names("cnn-small@mnist", change, data={"root": "sets"})


def test_an_unchanged_folder_is_decoded_once_and_compared_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(Path("sets/mnist"))
    structure, config = "cnn-small@mnist", {"data": {"root": "sets"}}
    loads: list[str] = []
    plain = load.load_hub
    monkeypatch.setattr(load, "_hub", lambda name, *rest: loads.append(name) or plain(name, *rest))
    first = made(**config).content(structure)
    assert made(**config).content(structure) == first and loads == ["mnist"]
    made(data={"root": "sets", "limit": 50}).content(structure)
    made(data={"root": "sets", "size": 32}).content(structure)
    assert len(loads) == 3, "other images, another hash"
    (kept,) = (file for file in Path("../cache").rglob("content-*") if file.read_text() == first["images"])
    kept.write_text("0" * 32)
    monkeypatch.setattr(load, "_LOADED", deque(maxlen=2))
    with pytest.raises(ZoogenError, match=f"data set mnist .below sets. has the content {first['images'][:16]}"):
        made(**config).images(structure)
    kept.write_text("damaged")
    assert made(**config).content(structure) == first


def test_corrected_parquet_of_the_same_size_and_time_is_another_zoo() -> None:
    import datasets

    def write(change: Callable[[np.ndarray, np.ndarray], None] | None = None) -> None:
        digits = load_digits()
        images, labels = (digits.images * 15).astype(np.uint8), digits.target.copy()
        if change is not None:
            change(images, labels)
        for split, rows in (("train", slice(0, 80)), ("test", slice(80, 120))):
            features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(10)})
            held = {"image": [Image.fromarray(i) for i in images[rows]], "label": labels[rows].tolist()}
            path = Path(f"sets/mnist/{split}-00000-of-00001.parquet")
            path.parent.mkdir(parents=True, exist_ok=True)
            datasets.Dataset.from_dict(held, features=features).to_parquet(path)
            os.utime(path, ns=(10**18, 10**18))

    write()
    require_other_names("cnn-small@mnist", lambda: write(one_label), data={"root": "sets"})


def rewritten(path: str, before: str, after: str) -> Callable[[], object]:
    return lambda: Path(path).write_text(Path(path).read_text().replace(before, after))


def scaled(path: str) -> Callable[[], object]:
    def change() -> None:
        held = torch.load(path, weights_only=True)
        torch.save({k: v + 1 for k, v in held.items()} if isinstance(held, dict) else held * 2, path)

    return change


@pytest.mark.parametrize(
    "change",
    [
        rewritten("parts/numbers.py", "1.0", "2.0"),
        rewritten("parts/__init__.py", "", "# more\n"),
        rewritten("late.py", "return net", "return net.requires_grad_(True)"),
        rewritten("settings.json", "0.1", "0.2"),
        scaled("body.pt"),
        scaled("mask.pt"),
    ],
    ids=["relative import", "package", "import within a function", "a number from a file", "checkpoint", "buffer"],
)
def test_another_network_is_another_zoo(change: Callable[[], object]) -> None:
    write_network()
    require_other_names(OWN_NETWORK, change, own="own.py", subset=["head.*"])


def test_what_nothing_is_made_of_names_nothing() -> None:
    write_network()
    Path("unused.py").write_text("x = 1\n")
    before = names(made(own="own.py", subset=["head.*"]), OWN_NETWORK)
    Path("unused.py").write_text("x = 2\n")
    shutil.copytree("parts", "copy")
    os.utime("body.pt")
    assert names(made(own="own.py", subset=["head.*"]), OWN_NETWORK) == before


def test_what_comes_with_the_package_is_told_by_its_name() -> None:
    task = made()
    assert task.content(SMALL) == {} and task.content("cnn-small@glyphs-1") == {}
    assert "content" not in task.resolved_for(SMALL)
    plan = plan_zoo(ZooConfig(structures=(SMALL,), runs=1, validation_runs=0, test_runs=0), made())
    assert "contents" not in plan.manifest_content()
    assert digest(task.resolved_for(SMALL)) == "a99c27c31617826b"


def test_a_worker_with_other_data_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("own.py").write_text(DATA)
    write_data()
    task = made(own="own.py", training={"iterations": 2})
    plan = plan_zoo(ZooConfig(structures=(OWN_DATA,), runs=1, validation_runs=0, test_runs=0), task)
    wanted = task.content(OWN_DATA)["images"]
    there = tmp_path / "other machine"
    there.mkdir()
    shutil.copy("own.py", there)
    sent = pickle.dumps(task)
    monkeypatch.chdir(there)
    monkeypatch.setattr(load, "_LOADED", deque(maxlen=2))  # as in another process
    write_data(one_label)
    root = tmp_path / "root"
    worker = CohortWorker(pickle.loads(sent), ArtifactStore(root), "", 1, "cpu", "revision")
    failure = worker.build(plan.cohorts[0])
    assert isinstance(failure, CohortFailure)
    found = made(own="own.py").content(OWN_DATA)["images"]
    assert found[:16] in failure.reason and wanted[:16] in failure.reason and "data set own (own.py)" in failure.reason
    assert "the same everywhere" in failure.reason and "\n" not in failure.reason
    assert not list(root.rglob("*.safetensors")) and not list(root.rglob("*.parquet"))


def test_a_cohort_is_not_trained_on_another_checkpoint() -> None:
    write_network()
    task = made(own="own.py", subset=["head.*"], training={"iterations": 2})
    spec = CohortSpec(task.resolved_for(OWN_NETWORK), OWN_NETWORK, RUNS)
    task.classifier(OWN_NETWORK)
    scaled("body.pt")()
    with pytest.raises(ZoogenError, match=r"initial state of the network own \(own\) has the content"):
        task.using(MemoryAssets()).train_cohort(spec)


def test_random_data_are_refused_by_a_second_process() -> None:
    Path("own.py").write_text(
        "import numpy as np\n\ndef data():\n    return np.random.default_rng().random((40, 8, 8)), np.arange(40) % 2\n"
    )
    spec = made(own="own.py").resolved_for("mlp-mini@own")
    other = made(own="own.py").resolved_for("mlp-mini@own")
    assert spec["content"]["images"] != other["content"]["images"]


def test_tasks_of_one_sweep_load_their_data_once() -> None:
    write_data()
    Path("own.py").write_text(DATA.replace("held = np", 'open("calls", "a").write("x")\n    held = np'))
    with shared_contents():
        for seed in range(3):
            made(own="own.py", seed=seed).resolved_for(OWN_DATA)
    assert Path("calls").read_text() == "x"
    made(own="own.py").resolved_for(OWN_DATA)
    assert Path("calls").read_text() == "xx"


@pytest.mark.parametrize("shape", [(60_000, 1, 28, 28), (60_000, 3, 32, 32)])
def test_hashing_a_large_set_takes_less_than_a_second(shape: tuple[int, ...]) -> None:
    images, labels = torch.zeros(shape, dtype=torch.uint8), np.arange(shape[0]) % 10
    begin = time.process_time()
    first = hash_of_images({"train": images}, {"train": labels})
    assert time.process_time() - begin < 1
    images[-1, 0, -1, -1] = 1
    assert hash_of_images({"train": images}, {"train": labels}) != first
