"""What comparing with a large zoo holds at its peak, in a process of its own, and that blocks change no answer."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from zoogen.evaluation import baselines, distances, moments, novelty
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.symmetry import Place, UnitGroup

ROOT = Path(__file__).parents[2]
LAYOUT = ParameterLayout.of({"in": (6, 4), "hidden": (6, 6), "out": (3, 6)})
GROUPS = (
    UnitGroup("first", 6, (Place("in", 0), Place("hidden", 1))),
    UnitGroup("second", 6, (Place("hidden", 0), Place("out", 1))),
)
MEASURED = """
import resource, torch
from zoogen.evaluation import baselines, novelty
from zoogen.weights.layout import ParameterLayout
from zoogen.weights.symmetry import Place, UnitGroup

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

torch.set_num_threads(1)
layout = ParameterLayout.of({"in": (300, 200), "out": (200, 300)})
units = (UnitGroup("hidden", 300, (Place("in", 0), Place("out", 1))),)
small = torch.randn(3, layout.size)
rows, queries = %d, %d


def work(zoo, wanted):
    %s


work(small, small[:2])  # libraries and their buffers
zoo = torch.randn(rows, layout.size)
wanted = zoo[:queries] + torch.randn(queries, layout.size)
before = peak()
work(zoo, wanted)
print((peak() - before) / (zoo.numel() * 4))
"""


@pytest.mark.parametrize(
    ("work", "rows", "queries", "bound"),
    [
        ("novelty.matched_nearest(wanted, zoo, layout, units)", 600, 10, 1.5),
        pytest.param(
            *("novelty.train_train_distance(zoo, torch.arange(len(zoo)), 0)", 500, 1, 1.5), marks=pytest.mark.slow
        ),
        ("baselines.nearest_rows(wanted, zoo)", 500, 50, 1.0),
        ("baselines.gaussian(zoo, 3, 0), baselines.random_like(layout, zoo, 3, 0)", 500, 1, 1.0),
        ("baselines.pca_gaussian(zoo, 4, 3, 0)", 500, 1, 1.0),
    ],
)
def test_the_peak_is_bounded_by_the_data(work: str, rows: int, queries: int, bound: float) -> None:
    environment = {"PYTHONPATH": str(ROOT / "platform"), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    code = MEASURED % (rows, queries, work)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < bound, "times the zoo's own bytes, beside the zoo"


def test_blocks_change_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(3)
    zoo = torch.randn(40, LAYOUT.size, generator=generator)
    wanted = zoo[torch.randperm(40, generator=generator)[:9]] + 0.3 * torch.randn(9, LAYOUT.size, generator=generator)
    excluded = torch.rand(9, 40, generator=generator) < 0.2

    def answers() -> list[torch.Tensor]:
        nearest = novelty.matched_nearest(wanted, zoo, LAYOUT, GROUPS, excluded=excluded)
        return [nearest.row, nearest.distance, distances.weight_distances(wanted, zoo)]

    whole = answers()
    monkeypatch.setattr(novelty, "_ALIGNED_VALUES", 2 * LAYOUT.size)
    monkeypatch.setattr(distances, "_WEIGHT_VALUES", 7 * LAYOUT.size)
    monkeypatch.setattr(distances, "_ROWS", (3, 5))
    for before, after in zip(whole, answers(), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rows", [1, 7, 65])
def test_moments_by_blocks(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    values = 3 + torch.randn(rows, 1001, generator=torch.Generator().manual_seed(rows))
    monkeypatch.setattr(moments, "BLOCK_VALUES", 64 * rows)
    mean, deviation = moments.column_moments(values)
    assert torch.equal(mean, values.double().mean(0)) and torch.equal(mean, moments.column_mean(values))
    assert torch.equal(deviation, values.double().std(0, unbiased=False)), "the very bits"
    whole = values.double()
    assert moments.moments(values) == pytest.approx((float(whole.mean()), float(whole.std(unbiased=False))), rel=1e-12)


def test_components_by_inner_products_span_the_same_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(12, 5, generator=generator) @ torch.randn(5, 200, generator=generator) + 2
    along = torch.eye(5, dtype=torch.float64)
    directly = baselines._spread_directly(rows, moments.column_mean(rows), along)
    monkeypatch.setattr(moments, "BLOCK_VALUES", 12 * 30)
    products = baselines._spread_by_products(rows, moments.column_mean(rows), along)
    signs = (directly * products).sum(1, keepdim=True).sign()
    torch.testing.assert_close(products * signs, directly, rtol=1e-6, atol=1e-6)
    assert baselines.pca_gaussian(rows, 5, 4, 1).shape == (4, 200)
