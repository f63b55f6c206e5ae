"""What of the images task is named: structures, the content of what they are made of, and artifacts by both."""

import copy
from abc import ABC
from collections.abc import Mapping
from typing import Any, Self

from zoogen.config import parse_config
from zoogen.errors import ZoogenError
from zoogen.tasks.base import Task
from zoogen.tasks.images.config import ImagesConfig
from zoogen.tasks.images.content import NOTHING, Content, known_contents
from zoogen.tasks.images.data.splits import ImageData
from zoogen.tasks.images.describe import described
from zoogen.tasks.images.loaded import content_of
from zoogen.tasks.images.structure import (
    Classifier,
    ImagesStructure,
    classifier_of,
    images_of,
    narrowed,
    own_module,
    placed,
)
from zoogen.weights.layout import ParameterLayout


class ImagesNames(Task, ABC):
    """The part of the task that tells structures and what names their artifacts."""

    name = "images"

    def __init__(self, config: ImagesConfig) -> None:
        own = own_module(config)
        update: dict[str, Any] = {} if own is None else {"own_source": own.source}
        if own is not None and own.subset and config.whole and config.start == "trunk":
            update["subset"] = own.subset  # not by whether a key was written: a resolved file writes every key
        self.config = config.model_copy(update=update | {"content": None})
        self._content = config.content  # that of any structure, for the configuration of a cohort
        self._contents: dict[str, Content] = {}  # by structure, loaded when they are first asked for
        self._unavailable: dict[str, str] = {}  # by structure, why something of its content is not to be had
        self._data = known_contents()

    def resolved(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json")

    def identity(self) -> dict[str, Any]:
        return placed(self.config, None).model_dump(mode="json")

    def resolved_for(self, structure: str) -> dict[str, Any]:
        name = self.canonical(structure)
        return placed(narrowed(self.config_of(name), name), None).model_dump(mode="json")

    def content(self, structure: str) -> dict[str, Any]:
        name = self.canonical(structure)
        if name not in self._contents and self._content is not None:
            self._contents[name] = self._content
        elif name not in self._contents:
            self._contents[name], self._unavailable[name] = content_of(self.config, name, self._data)
        return self._contents[name].model_dump(mode="json")

    def unavailable(self, structure: str) -> str:
        name = self.canonical(structure)
        self.content(name)
        return self._unavailable.get(name, "")

    def with_contents(self, contents: Mapping[str, Mapping[str, Any]]) -> Self:
        task = copy.copy(self)
        given = {name: parse_config(Content, dict(content), f"content of {name}") for name, content in contents.items()}
        task._contents, task._unavailable = self._contents | given, {}
        return task

    def knowing(self, other: Self) -> Self:
        """This task with what another one loaded; the two name the same data sets and networks."""
        task = copy.copy(self)
        task._contents, task._content = other._contents, other._content
        task._unavailable, task._data = other._unavailable, other._data
        return task

    def config_of(self, name: str) -> ImagesConfig:
        """The configuration with the content of a structure, by its canonical name; none where nothing is loaded."""
        content = Content.model_validate(self.content(name))
        return self.config if content == NOTHING else self.config.model_copy(update={"content": content})

    def images(self, structure: str) -> ImageData:
        """The structure's images."""
        name = self.canonical(structure)
        return images_of(self.config_of(name), name)

    def structure(self, text: str) -> ImagesStructure:
        return ImagesStructure.parse(text, own_module(self.config))

    def canonical(self, structure: str) -> str:
        return self.structure(structure).name

    def label(self, structure: str) -> str:
        return self.structure(structure).label

    def classifier(self, structure: str) -> Classifier:
        name = self.canonical(structure)
        own = narrowed(self.config, name).own is not None
        return classifier_of(self.config_of(name) if own else self.config, name)

    def layout(self, structure: str) -> ParameterLayout:
        return self.classifier(structure).view.layout

    def condition(self, structure: str) -> tuple[float, ...]:
        """By `task.condition`: nothing, one-hot over the named structures, or the data set as numbers."""
        name = self.canonical(structure)
        if self.config.condition == "data":
            return described(self.images(name))
        if self.config.condition == "none":
            return (0.0,)
        known = [self.canonical(other) for other in self.config.conditions]
        if twice := next((other for other in known if known.count(other) > 1), ""):
            raise ZoogenError(f"task.conditions names {twice} twice; name each structure once")
        if name not in known:
            raise ZoogenError(f"structure {name} is none of task.conditions ({', '.join(known)}); add it there")
        return tuple(float(name == other) for other in known)
