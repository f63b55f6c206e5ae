"""What MLflow gets to see of names, numbers and rows."""

import csv
import io

import numpy as np
import pytest

from zoogen.tracking.config import TrackingConfig
from zoogen.tracking.names import flatten, safe_key, shorten
from zoogen.tracking.summary import rows_csv, zoo_medians


def test_flatten_nested_settings():
    zoo = {"runs": 8, "structures": ["A", "B"], "deep": {"x": None}}
    flat = flatten({"zoo": zoo, "on": True, "name": "n", "empty": {}})
    assert flat == {
        "zoo.runs": "8", "zoo.structures": '["A", "B"]', "zoo.deep.x": "null", "on": "true", "name": "n",
    }  # fmt: skip


def test_long_values_and_odd_keys_are_made_acceptable():
    flat = flatten({"long": ["structure"] * 1000, "A*": 1, "α b?": 2})
    assert len(flat["long"]) == 500
    assert flat["long"].endswith("…")
    assert flat["A-star"] == "1"
    assert flat["_ b_"] == "2"
    assert safe_key("test/A*/average-2/exact.js") == "test/A-star/average-2/exact.js"
    assert shorten("abc", 3) == "abc"


def test_zoo_medians_by_split_and_label():
    rows = [
        {"label": "A", "split": split, "run": 1, "exact.js": js, "training.loss": js * 2}
        for split, values in (("train", (3.0, 1.0, 8.0)), ("validation", (5.0, float("nan"), 7.0)))
        for js in values
    ]
    rows.append({"structure": "2", "split": "test", "exact.js": None, "exact.tv": 4})
    medians = zoo_medians(rows)
    assert medians["train/A/exact.js"] == np.median([3.0, 1.0, 8.0])
    assert medians["val/A/exact.js"] == 6.0
    assert medians["train/A/training.loss"] == 6.0
    assert medians["test/2/exact.tv"] == 4.0
    assert set(medians) == {
        "train/A/exact.js", "train/A/training.loss", "val/A/exact.js", "val/A/training.loss", "test/2/exact.tv",
    }  # fmt: skip
    read = list(csv.DictReader(io.StringIO(rows_csv(rows))))
    assert len(read) == 7
    assert read[0]["exact.js"] == "3.0"
    assert read[6]["label"] == ""


@pytest.mark.parametrize("bad", ["mlruns", "file:///tmp/mlruns", "ftp://x"])
def test_stores_that_do_not_work_are_refused(bad):
    with pytest.raises(ValueError, match="sqlite"):
        TrackingConfig(uri=bad)
    assert TrackingConfig(uri="postgresql+psycopg2://u@h/db").kind == "mlflow"
