"""Base of all configuration models, and reading them from YAML with dotted overrides."""

import difflib
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from zoogen.errors import ZoogenError


class Config(BaseModel):
    """Frozen configuration; unknown keys are errors. Lives beside the component it configures."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)


C = TypeVar("C", bound=Config)


def read_mapping(path: str | Path, overrides: list[str] | tuple[str, ...] = ()) -> dict[str, Any]:
    """The mapping of a YAML file with `key.sub=value` overrides applied (values are YAML).

    Raises:
        ZoogenError: the file is missing or no YAML mapping, or an override is malformed.
    """
    path = Path(path)
    try:
        text = path.read_text()
    except OSError as error:
        raise ZoogenError(f"cannot read configuration {path}: {error.strerror}; give a file such as configs/genflownet/quick.yaml") from None
    try:
        mapping = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ZoogenError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(mapping, dict):
        raise ZoogenError(f"{path} must hold a mapping of keys to values, not a {type(mapping).__name__}")
    for override in overrides:
        key, separator, value = override.partition("=")
        if not separator or not key:
            raise ZoogenError(f"override {override!r} is not of the form key.sub=value")
        _set(mapping, key.split("."), _parse(override, value), override)
    return mapping


def parse_config(model: type[C], mapping: dict[str, Any], where: str) -> C:
    """Validate `mapping` as `model`.

    Raises:
        ZoogenError: with every problem in one line, unknown keys with the nearest known one.
    """
    try:
        return model.model_validate(mapping)
    except ValidationError as error:
        raise ZoogenError(f"{where}: " + "; ".join(_describe(model, item) for item in error.errors())) from None


def load_config(model: type[C], path: str | Path, overrides: list[str] | tuple[str, ...] = ()) -> C:
    """Read, override and validate the configuration file at `path`."""
    return parse_config(model, read_mapping(path, overrides), str(path))


def _parse(override: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        raise ZoogenError(f"the value of override {override!r} is not valid YAML") from None


def _set(mapping: dict[str, Any], keys: list[str], value: Any, override: str) -> None:
    node = mapping
    for key in keys[:-1]:
        child = node.get(key)
        if child is None:
            child = node[key] = {}
        if not isinstance(child, dict):
            raise ZoogenError(f"override {override!r}: {key} is a value, not a section")
        node = child
    node[keys[-1]] = value


def _describe(model: type[BaseModel], item: Any) -> str:
    location = [str(part) for part in item["loc"]]
    path = ".".join(location)
    if item["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(location[-1], sorted(_known_keys(model)), n=1, cutoff=0.5)
        hint = f" (did you mean {nearest[0]}?)" if nearest else ""
        return f"unknown key {path}{hint}"
    return f"{path or 'configuration'}: {item['msg']} (got {item['input']!r:.80})"


def _known_keys(model: type[BaseModel]) -> set[str]:
    """All keys of a model and of the models nested in it."""
    schema = model.model_json_schema()
    keys = set(schema.get("properties", {}))
    for definition in schema.get("$defs", {}).values():
        keys |= set(definition.get("properties", {}))
    return keys
