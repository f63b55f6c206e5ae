"""The Hugging Face hub, asked once whether it answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

_PROBE_SECONDS = 10.0


@contextmanager
def offline_unless_reachable(repository: str, kind: Literal["dataset", "model"]) -> Iterator[None]:
    """One quick question decides whether the hub can be asked; else only what was downloaded before is used, since
    `datasets` and `transformers` would retry for half a minute first."""
    import datasets
    import huggingface_hub

    try:
        huggingface_hub.HfApi().repo_info(repository, repo_type=kind, timeout=_PROBE_SECONDS)
    except huggingface_hub.errors.HfHubHTTPError:
        yield  # it answers: what it says of access is told by the reader
    except Exception:  # no connection, in whatever way
        switches: tuple[Any, ...] = (huggingface_hub.constants, datasets.config)
        before = [switch.HF_HUB_OFFLINE for switch in switches]
        for switch in switches:
            switch.HF_HUB_OFFLINE = True
        try:
            yield
        finally:
            for switch, value in zip(switches, before, strict=True):
                switch.HF_HUB_OFFLINE = value
    else:
        yield
