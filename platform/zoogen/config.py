"""Base of all configuration models, and reading them from YAML with dotted overrides."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from zoogen.bounded import DEPTH, parse_yaml, read_text
from zoogen.errors import ZoogenError
from zoogen.shown import clipped, listed, shown

_PROBLEMS = 20  # described at most
LARGEST = 2**63 - 1  # of whole numbers in configurations, as in everything that computes with them


class Config(BaseModel):
    """Frozen configuration; unknown keys are errors. Lives beside the component it configures."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _bounded(cls, values: Any) -> Any:
        """Whole numbers that no integer of 64 bits holds would fail much later, each in its own way."""
        for name, value in values.items() if isinstance(values, dict) else ():
            if isinstance(value, int) and abs(value) > LARGEST:
                raise ValueError(f"{shown(name)} is {shown(value)}, and whole numbers go up to 2^63 - 1")
        return values

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
    path, where = Path(path), clipped(str(path))
    try:
        text = read_text(path)
    except OSError as error:
        hint = "give a file such as configs/genflownet/quick.yaml"
        raise ZoogenError(f"cannot read configuration {where}: {error.strerror}; {hint}") from None
    except UnicodeDecodeError:
        raise ZoogenError(f"{where} is not a text file in UTF-8; a configuration is a YAML file") from None
    except ValueError as error:  # too large, or a path with a null character
        raise ZoogenError(f"cannot read configuration {where}: {error}; a configuration is a small YAML file") from None
    try:
        mapping = parse_yaml(text)
    except ValueError as error:
        raise ZoogenError(f"{where} is not valid YAML: {clipped(str(error), 200)}; correct it") from None
    mapping = {} if mapping is None else mapping
    if not isinstance(mapping, dict):
        raise ZoogenError(f"{where} must hold a mapping of keys to values, not a {type(mapping).__name__}")
    for override in overrides:
        key, separator, value = override.partition("=")
        if not separator or not key:
            raise ZoogenError(f"override {shown(override)} is not of the form key.sub=value")
        _set(mapping, _keys(key, override), _parse(override, value), override)
    return mapping


def parse_config(model: type[C], mapping: dict[str, Any], where: str) -> C:
    """Validate `mapping` as `model`.

    Raises:
        ZoogenError: with every problem in one line, unknown keys with the nearest known one.
    """
    try:
        return model.model_validate(mapping)
    except ValidationError as error:
        problems = listed(_describe(model, mapping, item) for item in error.errors(include_url=False)[:_PROBLEMS])
        more = error.error_count() - _PROBLEMS
        raise ZoogenError(f"{where}: {problems}" + (f" (of {error.error_count()})" if more > 0 else "")) from None


def load_config(model: type[C], path: str | Path, overrides: list[str] | tuple[str, ...] = ()) -> C:
    """Read, override and validate the configuration file at `path`."""
    return parse_config(model, read_mapping(path, overrides), clipped(str(path)))


def _keys(dotted: str, override: str) -> list[str]:
    keys = dotted.split(".")
    if len(keys) > DEPTH:
        raise ZoogenError(f"override {shown(override)} names sections more than {DEPTH} deep")
    return keys


def _parse(override: str, value: str) -> Any:
    try:
        return parse_yaml(value)
    except ValueError as error:
        reason = clipped(str(error))
        raise ZoogenError(f"the value of override {shown(override)} is not valid YAML: {reason}") from None


def _set(mapping: dict[str, Any], keys: list[str], value: Any, override: str) -> None:
    node = mapping
    for key in keys[:-1]:
        child = node.get(key)
        if child is None:
            child = node[key] = {}
        if not isinstance(child, dict):
            raise ZoogenError(f"override {shown(override)}: {clipped(key)} is a value, not a section")
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
    message = clipped(item["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, "), 300)
    hidden = isinstance(item["input"], dict) or item["type"] == "secret"  # a whole section tells nothing
    got = "" if hidden else f" (got {shown(item['input'])})"
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
        path.append(clipped(str(part), 60))
    return clipped(".".join(path))


def _nearest(key: str, known: set[str], cutoff: float) -> str | None:
    return next(iter(difflib.get_close_matches(key[:80], sorted(known), n=1, cutoff=cutoff)), None)


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
