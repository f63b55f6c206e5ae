"""What is read of a zoo's manifest: its form is checked before anything uses it."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from zoogen.shown import clipped, shown
from zoogen.zoo.plan import structure_key


class ManifestCohort(BaseModel):
    """A cohort as the manifest names it."""

    model_config = ConfigDict(frozen=True, strict=True)

    key: str
    digest: str
    structure: str
    runs: list[int]


class Manifest(BaseModel):
    """What `ZooPlan.manifest_content` says, as far as it is used; see there."""

    model_config = ConfigDict(frozen=True, strict=True)

    digest: str
    config: dict[str, Any]
    task: dict[str, Any]
    cohorts: list[ManifestCohort]
    splits: dict[str, list[int]]
    contents: dict[str, dict[str, Any]] = {}


def checked_manifest(content: dict[str, Any], digest: str) -> Manifest:
    """The manifest of a zoo.

    Raises:
        ValueError: it is none, or another zoo's, or names other objects than parts.
    """
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{clipped('.'.join(map(str, first['loc'])))}: {clipped(first['msg'])}") from None
    if manifest.digest != digest:
        raise ValueError(f"it is that of zoo {shown(manifest.digest)}")
    for cohort in manifest.cohorts:
        if cohort.key != f"zoo/parts/{structure_key(cohort.structure)}/{cohort.digest}.parquet":
            raise ValueError(f"{shown(cohort.key)} is no part of its cohort")
    return manifest
