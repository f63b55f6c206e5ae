"""Tables that say what the evaluation says, and figures that can be opened."""

import csv
import io
import math
import struct

import numpy as np
import pytest
from tests.fakes import FakeTask, MemoryZoo, NoisyOptimum

from zoogen.errors import ZoogenError
from zoogen.evaluation.config import EvaluationConfig
from zoogen.evaluation.evaluate import evaluate
from zoogen.evaluation.result import Evaluation, Inputs
from zoogen.reports.figures import metric_figure, portrait_figure
from zoogen.reports.table import comma_separated, markdown, notices
from zoogen.reports.table_rows import metric_names, metric_title, number, report_rows
from zoogen.reports.write import render_report, write_files
from zoogen.zoo.plan import ZooConfig

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def evaluation():
    task = FakeTask(checkpoints=4)
    zoo = MemoryZoo(task, ZooConfig(structures=("2", "3"), runs=4, validation_runs=0, test_runs=2))
    config = EvaluationConfig(count=6, structures=("5",), average_k=(2,))
    inputs = Inputs(study="fake study", zoo=zoo.plan.digest)
    return evaluate(task, zoo, NoisyOptimum(task), config, inputs=inputs, cost={"zoo": 3.5})


def test_numbers_are_short_and_keep_their_value():
    assert [number(v) for v in (0.0041234, 1.2345e-5, 12.3, 0.0, None, math.nan, math.inf, -0.5, 1e6)] == [
        ".00412", "1.23e-5", "12.3", "0", "–", "–", "inf", "-.5", "1e6",
    ]  # fmt: skip
    assert metric_title("exact.js") == "exact JS"
    assert metric_title("novelty.nearest_train") == "novelty nearest train"


def test_rows_hold_known_structures_first_and_floors_last(evaluation):
    rows = report_rows(evaluation)
    assert list(dict.fromkeys((r.label, r.known) for r in rows)) == [("F2", True), ("F3", True), ("F5*", False)]
    first = [r.method for r in rows if r.label == "F2"]
    assert first[-3:] == ["perfect", "untrained", "train_train"]
    assert [r.kind for r in rows if r.label == "F2"][-3:] == ["floor"] * 3
    assert metric_names(rows) == ["exact.js", "exact.tv", "sampled.l1", "novelty.nearest_train"]
    assert metric_names(rows, short=True) == ["exact.js", "exact.tv", "sampled.l1"]


def test_csv_agrees_with_the_values_by_numpy(evaluation):
    lines = list(csv.DictReader(io.StringIO(comma_separated(evaluation))))
    assert {len(line) for line in lines} == {len(lines[0])}
    for line in lines:
        if line["kind"] == "floor":
            continue
        result = evaluation.result(line["structure"], line["method"])
        for metric, values in result.metrics.items():
            assert float(line[f"{metric}.median"]) == pytest.approx(np.median(values))
            assert float(line[f"{metric}.q75"]) == pytest.approx(np.quantile(values, 0.75))
    generated, held = (
        next(line for line in lines if line["method"] == m and line["label"] == "F2")
        for m in ("generated", "held-out-last")
    )
    expected = float(generated["exact.js.median"]) / float(held["exact.js.median"])
    assert float(generated["against_held_out"]) == pytest.approx(expected)
    assert float(held["against_held_out"]) == 1.0
    floor = next(line for line in lines if line["kind"] == "floor" and line["method"] == "perfect")
    assert float(floor["sampled.l1.median"]) == 0.01
    assert floor["exact.js.median"] == ""


def test_markdown_is_one_table_with_equal_rows(evaluation):
    text = markdown(evaluation)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert len(table) == 2 + len(report_rows(evaluation))
    assert "# Evaluation of fake study" in text
    assert "generated / last checkpoints of held-out runs, ratio of medians: F2 " in text
    assert evaluation.inputs.zoo in text


def test_notices_are_said_once(evaluation):
    noisy = evaluation.model_copy(
        update={"results": tuple(r.model_copy(update={"notices": ("few [2] samples",)}) for r in evaluation.results)}
    )
    (line,) = [line for line in notices(noisy) if "few [2] samples" in line]
    assert line.startswith("F2 generated, F2 held-out, F2 held-out-last …: ")


def test_report_files(evaluation, tmp_path):
    paths = write_files(render_report(evaluation), tmp_path / "report")
    assert {p.name for p in paths} == {
        "report.html", "evaluation.json", "table.md", "table.csv", "paper.md", "paper.csv", "audit.md", "audit.csv",
        "metric.png", "novelty.png", "distributions-known.png", "distributions-unseen.png", "weights-F2.png",
    }  # fmt: skip
    assert {p.name for p in (tmp_path / "report").iterdir()} == {p.name for p in paths}
    assert Evaluation.from_json((tmp_path / "report" / "evaluation.json").read_text()) == evaluation
    for path in paths:
        if path.suffix == ".png":
            data = path.read_bytes()
            assert data.startswith(PNG)
            width, height = struct.unpack(">II", data[16:24])
            assert 300 < width < 4000 and 300 < height < 4000
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ZoogenError, match="cannot write"):
        write_files({"table.md": b"x"}, blocked / "report")


def test_portraits_share_the_scale_of_the_truth(evaluation):
    figure = portrait_figure(evaluation, ["2", "3"])
    images = [ax.images[0] for ax in figure.axes if ax.images]
    titles = [ax.get_title().split("\n")[0] for ax in figure.axes if ax.images]
    assert titles == ["truth", "held-out", "generated", "untrained"] * 2
    for row in (images[:4], images[4:]):
        truth = row[0].get_array()
        assert {image.get_clim() for image in row} == {(truth.min(), truth.max())}
    assert portrait_figure(evaluation, ["99"]) is None


def test_metric_figure_draws_every_network_and_survives_failures(evaluation):
    figure = metric_figure(evaluation)
    drawn = sum(len(collection.get_offsets()) for ax in figure.axes for collection in ax.collections[::2])
    assert drawn == sum(r.count for r in evaluation.results)
    assert all(ax.get_yscale() == "log" for ax in figure.axes)
    values = (0.0, 1.0, math.inf, math.inf, math.inf, 2.0)
    failed = tuple(
        r.model_copy(update={"metrics": {"exact.js": values}, "count": 6, "selection": None})
        for r in evaluation.results[:2]
    )
    assert metric_figure(evaluation.model_copy(update={"results": failed})) is not None
    none = tuple(
        r.model_copy(update={"metrics": {"exact.js": (0.0,)}, "count": 1, "selection": None})
        for r in evaluation.results[:2]
    )
    bare = evaluation.model_copy(update={"results": none, "portraits": (), "weight_maps": ()})
    assert metric_figure(bare) is None
    assert set(render_report(bare)) == {
        "report.html", "evaluation.json", "table.md", "table.csv", "paper.md", "paper.csv", "audit.md", "audit.csv",
    }  # fmt: skip
