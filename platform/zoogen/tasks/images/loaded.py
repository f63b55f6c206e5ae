"""What is loaded for a structure from outside the package, found out by loading it."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from zoogen.errors import UnavailableError
from zoogen.identity import derive_seed
from zoogen.tasks.images.config import ImagesConfig
from zoogen.tasks.images.content import NOTHING, UNAVAILABLE, Content, require_content
from zoogen.tasks.images.data.catalogue import OWN
from zoogen.tasks.images.data.hub import content_file
from zoogen.tasks.images.data.load import loaded_from_outside
from zoogen.tasks.images.structure import (
    Classifier,
    ImagesStructure,
    classifier_of,
    form_of,
    load_for,
    narrowed,
    own_module,
)
from zoogen.weights.hashing import tensors_hash


def content_of(config: ImagesConfig, structure: str, known: dict[str, Content]) -> tuple[Content, str]:
    """What is loaded for a structure, loaded now; and why something of it is not to be had, empty if all is.

    Args:
        known: contents of data sets that were loaded a moment ago; what is loaded here is added.

    Raises:
        ZoogenError: it is there, and not fit to be learnt from.
    """
    config = narrowed(config, structure).model_copy(update={"content": None})
    own, content, reason = own_module(config), NOTHING, ""
    parsed = ImagesStructure.parse(structure, own)
    if loaded_from_outside(parsed.data):
        try:
            content = _content_of_images(config, structure, known)
        except UnavailableError as error:
            content, reason = Content(images=UNAVAILABLE), str(error)
    if parsed.spec.source:
        initial = classifier_of(config.model_copy(update={"content": content}), structure).initial
        content = content.model_copy(update={"network": initial})
    if config.pretrained and reason:
        content = content.model_copy(update={"published": UNAVAILABLE})
    elif config.pretrained:
        found = classifier_of(config.model_copy(update={"content": content}), structure)
        try:
            published = tensors_hash(published_weights(config, found))
        except UnavailableError as error:
            published, reason = UNAVAILABLE, str(error)
        content = content.model_copy(update={"published": published})
    return content, reason


def _content_of_images(config: ImagesConfig, structure: str, known: dict[str, Content]) -> Content:
    own = own_module(config)
    parsed = ImagesStructure.parse(structure, own)
    size, channels = form_of(config, parsed, own)
    key = f"{parsed.data} {size} {channels} {config.data.model_dump_json()} {config.own} {config.own_source}"
    if key not in known:
        kept = (
            None if parsed.data == OWN or channels is None else content_file(parsed.data, size, channels, config.data)
        )
        if kept is not None and (content := _read(kept)):
            known[key] = Content(images=content)
            return known[key]
        images = load_for(config, structure, size, channels, anew=True)
        told = {"channels": images.channels, "classes": images.classes} if parsed.data == OWN else {}
        known[key] = Content(images=images.content, **told)
        if kept is not None and kept == content_file(parsed.data, size, images.channels, config.data):
            _keep(kept, images.content)  # nothing changed while it was read
    return known[key]


def _read(file: Path) -> str:
    try:
        content = file.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
    return content if re.fullmatch(r"[0-9a-f]{32}", content) else ""


def _keep(file: Path, content: str) -> None:
    with suppress(OSError):  # a folder that cannot be written to costs time, and nothing else
        file.parent.mkdir(parents=True, exist_ok=True)
        whole = file.with_name(f"{file.name}.{os.getpid()}")
        whole.write_text(content)
        whole.replace(file)


def published_weights(config: ImagesConfig, found: Classifier) -> Mapping[str, Tensor]:
    """The published weights that a trunk begins from, as a state.

    Raises:
        ZoogenError: there are none for it, they cannot be had, or they are not of the configuration's content.
    """
    state = found.published(derive_seed("trunk's head", config.seed))
    if config.content is not None and config.content.published is not None:
        name = f"the published weights of {found.spec.name}"
        require_content(name, tensors_hash(state), config.content.published)
    return state
