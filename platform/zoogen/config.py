"""Base of all configuration models, and reading them from YAML with dotted overrides."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from zoogen.errors import ZoogenError


class Config(BaseModel):
    """Frozen configuration; unknown keys are errors. Lives beside the component it configures."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _fill_kind(cls, values: Any) -> Any:
        """A section of a discriminated union without `kind` means the kind of the field's default."""
        if not isinstance(values, dict):
            return values
        filled = dict(values)
        for name, info in cls.model_fields.items():
            section = filled.get(name)
            if isinstance(section, dict) and "kind" not in section:
                kind = getattr(info.get_default(call_default_factory=True, validated_data=filled), "kind", None)
                if isinstance(kind, str):
                    filled[name] = {"kind": kind, **section}
        return filled


C = TypeVar("C", bound=Config)


def read_mapping(path: str | Path, overrides: list[str] | tuple[str, ...] = ()) -> dict[str, Any]:
    """The mapping of a YAML file with `key.sub=value` overrides applied (values are YAML).

    Raises:
        ZoogenError: the file is missing or no YAML mapping, or an override is malformed.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        hint = "give a file such as configs/genflownet/quick.yaml"
        raise ZoogenError(f"cannot read configuration {path}: {error.strerror}; {hint}") from None
    except UnicodeDecodeError:
        raise ZoogenError(f"{path} is not a text file in UTF-8; a configuration is a YAML file") from None
    try:
        mapping = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ZoogenError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    mapping = {} if mapping is None else mapping
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
        raise ZoogenError(
            f"{where}: " + "; ".join(_describe(model, mapping, item) for item in error.errors())
        ) from None


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


def _describe(model: type[BaseModel], mapping: dict[str, Any], item: Any) -> str:
    path = _written_path(mapping, item["loc"])
    if item["type"] == "extra_forbidden":
        *section, key = item["loc"]
        # A key of the same section is likelier than one of another.
        near = _nearest(str(key), _section_keys(model, section), 0.5) or _nearest(str(key), _known_keys(model), 0.6)
        hint = f" (did you mean {near}?)" if near else ""
        return f"unknown key {path}{hint}"
    message = item["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    hidden = isinstance(item["input"], dict) or item["type"] == "secret"
    got = "" if hidden else f" (got {item['input']!r:.80})"  # a whole section tells nothing
    return " ".join(f"{path or 'configuration'}: {message}{got}".split())


def _written_path(mapping: Any, location: tuple[int | str, ...]) -> str:
    """The dotted path as the user wrote it: pydantic's location without the tags of unions."""
    path, node = [], mapping
    for index, part in enumerate(location):
        inside = isinstance(node, dict) and part in node
        listed = isinstance(node, list | tuple) and isinstance(part, int) and part < len(node)
        if inside or listed:
            node = node[part]
        elif index < len(location) - 1:
            continue
        path.append(str(part))
    return ".".join(path)


def _nearest(key: str, known: set[str], cutoff: float) -> str | None:
    return next(iter(difflib.get_close_matches(key, sorted(known), n=1, cutoff=cutoff)), None)


def _section_keys(model: type[BaseModel], location: Sequence[int | str]) -> set[str]:
    """Keys of the models that may stand at a location."""
    models = {model}
    for part in location:
        fields = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        # Other parts are indices, keys of mappings and tags of unions: they stay within the models found.
        models = {nested for annotation in fields for nested in _models_in(annotation)} or models
    return {key for m in models for key in m.model_fields}


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _known_keys(model: type[BaseModel]) -> set[str]:
    """All keys of a model and of the models nested in it."""
    schema = model.model_json_schema()
    keys = set(schema.get("properties", {}))
    for definition in schema.get("$defs", {}).values():
        keys |= set(definition.get("properties", {}))
    return keys
