"""A manifest is looked at before it is used: what is no manifest is one line that says why."""

from typing import Any

import pytest

from zoogen.errors import ZoogenError
from zoogen.seal import sealed_json
from zoogen.zoo.build import manifest_key
from zoogen.zoo.export import list_zoos
from zoogen.zoo.manifest import checked_manifest
from zoogen.zoo.store import ArtifactStore

SOUND: dict[str, Any] = {
    "digest": "d",
    "config": {"runs": 1},
    "task": {"kind": "hypergrid"},
    "cohorts": [{"digest": "c", "key": "zoo/parts/2-2/c.parquet", "structure": "2^2", "runs": [0]}],
    "splits": {"train": [0]},
}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_a_sound_one() -> None:
    assert checked_manifest(SOUND, "d").cohorts[0].runs == [0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"task": "hypergrid"}, "task: "),
        ({"config": []}, "config: "),
        ({"splits": {"train": 3}}, "splits.train: "),
        ({"cohorts": [1]}, "cohorts.0: "),
        ({"cohorts": [{**SOUND["cohorts"][0], "runs": [[0]]}]}, "cohorts.0.runs.0: "),
        ({"cohorts": [{**SOUND["cohorts"][0], "key": "zoogen.json"}]}, "'zoogen.json' is no part of its cohort"),
        ({"cohorts": [{**SOUND["cohorts"][0], "key": "../../x"}]}, "is no part of its cohort"),
        ({"contents": {"x" * 5_000: 1}}, "contents.xxx"),
        ({"digest": "y" * 5_000}, "it is that of zoo 'yyy"),
        ({"task": {"kind": nested(100)}}, "nested more than 64 deep"),
        ({"config": {"runs": 10**200}}, "a whole number has 201 digits"),
    ],
)
def test_what_is_none(change: dict[str, Any], reason: str) -> None:
    store = ArtifactStore("memory://manifests")
    store.put_if_absent(manifest_key("d"), sealed_json({**SOUND, **change}))
    with pytest.raises(ZoogenError) as error:
        list_zoos(store)
    message = str(error.value)
    assert reason in message and "is damaged" in message and len(message) < 500
