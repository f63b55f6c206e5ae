"""Weights of K networks of one structure in one safetensors file, tensors stacked along their first axis."""

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from zoogen.errors import DamagedError, ZoogenError
from zoogen.seal import SEAL
from zoogen.shown import clipped
from zoogen.weights.header import METADATA, check_seal, read_header, sealed
from zoogen.weights.layout import ParameterLayout

WHOLE = "whole"  # metadata of files with whole networks, of which the generated weights are a part


@dataclass(frozen=True)
class WeightsFile:
    """What a weights file holds, as it stands there.

    Attributes:
        tensors: by name; floating point ones in single precision and finite throughout, others (counters) as they are.
        metadata: text by key.
    """

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]

    @property
    def whole(self) -> bool:
        """Whether it holds state dicts, not the vectors that are generated: others' files, and `write_whole`'s."""
        return "task" not in self.metadata or WHOLE in self.metadata


def write_weights(path: str | Path, layout: ParameterLayout, flat: Tensor, metadata: Mapping[str, str]) -> None:
    """Write flat weights [K, D] as tensors [K, *shape] by name; folders are made as needed.

    The file appears whole or not at all: it is written beside its place and then renamed into it.

    Raises:
        ZoogenError: `flat` is not [K >= 1, D], holds values that are not finite, or cannot be written.
    """
    path = Path(path)
    if flat.ndim != 2 or flat.shape[0] == 0:
        raise ZoogenError(f"weights for {path} have shape {list(flat.shape)}, expected [K, {layout.size}] with K >= 1")
    _write(path, layout.unflatten(flat.detach().to("cpu", torch.float32)), metadata)


def write_whole(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write whole networks, tensors [K, ...] by name, for use elsewhere: the k-th of each make a state dict.

    Counters and the like keep their type.

    Raises:
        ZoogenError: values are not finite, or the file cannot be written.
    """
    _write(Path(path), {name: tensor.detach().cpu() for name, tensor in tensors.items()}, {**metadata, WHOLE: "true"})


def _write(path: Path, stacked: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    for name, tensor in stacked.items():
        _require_finite(name, tensor, f"not writing {path}")
    # tensors may be views of one vector, which safetensors refuses: clone each into its own memory
    tensors = {name: tensor.contiguous().clone() for name, tensor in stacked.items()}
    write_bytes(path, sealed(save(tensors, metadata={key: str(value) for key, value in metadata.items()})))


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a file whole or not at all, replacing what is there; folders are made as needed.

    Raises:
        ZoogenError: the folder or file cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ZoogenError(
            f"cannot write {clipped(str(path), 200)}: {reason}; choose a file in a writable folder"
        ) from None


def read_weights(path: str | Path) -> WeightsFile:
    """Read and check a weights file.

    Raises:
        ZoogenError: the file is missing or no safetensors file, holds no tensors, or values that are not finite; it
            has a seal that it does not fit.
    """
    path = Path(path)
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ValueError("it is a device or pipe, which may have no end")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ZoogenError(f"cannot read weights file {clipped(str(path))}: {reason}; give a safetensors file") from None
    try:
        stored = load(data)
        header = read_header(data)
    except (SafetensorError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise ZoogenError(
            f"{clipped(str(path), 200)} is not a safetensors file ({clipped(reason, 200)}); write it with "
            "safetensors.save_file"
        ) from None
    try:
        check_seal(data, required=False)
    except ValueError as error:
        raise DamagedError(str(error), str(path), "write it again") from None
    metadata = dict(header.get(METADATA) or {})
    metadata.pop(SEAL, None)
    if not stored:
        raise ZoogenError(f"{path} holds no tensors; expected tensors [K, *shape] by parameter name")
    return WeightsFile({name: _checked(name, tensor, path) for name, tensor in sorted(stored.items())}, metadata)


def _checked(name: str, tensor: Tensor, path: Path) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    tensor = tensor.to(torch.float32)
    _require_finite(name, tensor, str(path))
    return tensor


def _require_finite(name: str, tensor: Tensor, where: str) -> None:
    bad = (~torch.isfinite(tensor)).nonzero()
    if len(bad):
        index = bad[0].tolist()
        value = tensor[tuple(index)].item()
        raise ZoogenError(f"{where}: {name}{index} is {value}; all weights must be finite ({len(bad)} are not)")
