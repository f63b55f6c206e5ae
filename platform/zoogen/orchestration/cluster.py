"""Reaching Ray: a job's cluster, a cluster at an address, or a local one that lives as long as the caller.

Ray runs whatever reaches its ports, and the ports of a local Ray listen on every interface. Therefore
a local Ray started here asks for a token that only this process and its children know, and has no
dashboard. Importing this module does not import Ray.
"""

import os
import secrets
import socket
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import zoogen
from zoogen.errors import ZoogenError
from zoogen.exits import signals_kept
from zoogen.secrets import masked
from zoogen.shown import clipped, shown

OBJECT_STORE_MEMORY = 256 * 2**20  # bytes; Ray would take 30 % of the memory, and weights travel through the store
PROBE_SECONDS = 5.0  # an address that does not answer for so long is no cluster
_FOLDER_VARIABLE = "RAY_TMPDIR"
_LONGEST_SOCKET = 107  # bytes of a Unix socket's path
# What Ray adds: /ray/session_2026-01-31_23-59-59_999999_4194304/sockets/plasma_store and a digit or two.
_SOCKET_BYTES = 68
_JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # set in the driver of `ray job submit`
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_NUM_REDIS_GET_RETRIES": "8",  # seconds to wait for a cluster that answers but is not Ray
}
# What a store needs to be found; credentials are no business of a cluster's job description, which others can read.
_FORWARDED = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AWS_REGION", "AWS_DEFAULT_REGION")


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster that this process is connected to.

    Attributes:
        address: `host:port` of its head.
        local: True if it was started by `connect` and ends with it.
        cpus, gpus: resources of all nodes.
    """

    address: str
    local: bool
    cpus: float
    gpus: float


def import_ray() -> ModuleType:
    """Ray, with its telemetry and its guesses switched off (settings of the user win)."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    return ray


@contextmanager
def connect(
    address: str | None = None,
    *,
    num_cpus: int | None = None,
    object_store_memory: int = OBJECT_STORE_MEMORY,
    log_to_driver: bool = False,
) -> Iterator[Cluster]:
    """Connect to Ray for the length of a `with` block.

    A connection that is there already is used and left as it is. Inside `ray job submit` the job's
    cluster is used. Otherwise `address`, or `RAY_ADDRESS`, names a cluster (`host:6379`, or `auto`
    for the one on this machine); without one, or with `local`, a local Ray is started.

    Args:
        num_cpus: of a local Ray (default: all of the machine); other clusters have their own.
        object_store_memory: bytes, of a local Ray.
        log_to_driver: whether what workers print appears in the driver's terminal.

    Raises:
        ZoogenError: no cluster answers at the address, or it speaks another version of Ray.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield _cluster(ray, local=False)
        return
    options: dict[str, Any] = {"log_to_driver": log_to_driver, "logging_level": "ERROR"}
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    local = address == "local" and _JOB_VARIABLE not in os.environ
    saved = dict(os.environ)
    try:
        if _JOB_VARIABLE in os.environ:
            _start(ray, "of this job", options)  # its address and environment come with the job
        elif local:
            os.environ.update(_local_authentication())
            options |= {"num_cpus": num_cpus, "object_store_memory": object_store_memory, "include_dashboard": False}
            _require_short_folder()
            _start(ray, "local", {"address": "local", "runtime_env": _runtime_env(), **options})
        else:
            _probe(address)
            _start(ray, f"at {address}", {"address": address, "runtime_env": _runtime_env(), **options})
        yield _cluster(ray, local)
    finally:
        ray.shutdown()
        if local:  # what Ray and we set for the local cluster must not reach a later one
            for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
                if name in saved:
                    os.environ[name] = saved[name]
                else:
                    os.environ.pop(name, None)


def _start(ray: ModuleType, which: str, options: dict[str, Any]) -> None:
    try:
        with signals_kept():
            ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = clipped(masked(lines[0] if lines else type(error).__name__).rstrip("."), 200)
        if "AF_UNIX" in reason or "socket path" in reason:
            raise ZoogenError(_long_folder(reason)) from None
        raise ZoogenError(
            f"cannot use the Ray cluster {which}: {reason}; "
            f"check the address, the token, and Ray's version there (here {ray.__version__})"
        ) from None


def _require_short_folder() -> None:
    """Ray's sockets lie below its folder, and the system refuses longer paths in words that name no remedy."""
    length = len(os.fsencode(_folder()))
    if length + _SOCKET_BYTES > _LONGEST_SOCKET:
        raise ZoogenError(_long_folder(f"{length} bytes"))


def _folder() -> str:
    return os.environ.get(_FOLDER_VARIABLE) or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108  Ray's own choice


def _long_folder(reason: str) -> str:
    return (
        f"the folder of a local Ray, {clipped(_folder())}, is too long ({reason}): the paths of sockets below it may "
        f"have {_LONGEST_SOCKET} bytes; set {_FOLDER_VARIABLE} to one of at most {_LONGEST_SOCKET - _SOCKET_BYTES} "
        "bytes, such as /tmp/ray"
    )


def _probe(address: str) -> None:
    """Make sure that something listens at `host:port`, before Ray waits for it for a minute."""
    if address == "auto":
        address = _running_here()
    scheme, separator, _ = address.partition("://")
    if separator:
        advice = "give host:6379, or submit the job with `ray job submit --address http://host:8265`"
        raise ZoogenError(f"{shown(address)} ({scheme}) is no address of a Ray cluster's head; {advice}")
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ZoogenError(
            f"{shown(address)} is no address of a Ray cluster; give host:port (6379 by default), auto or local"
        )
    advice = "start one with `ray start --head`, or leave the address out for a local Ray"
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise ZoogenError(f"no Ray cluster answers at {address} ({reason}); {advice}") from None
    if os.environ.get("RAY_USE_TLS", "0") == "0" and not _speaks_grpc(address):
        raise ZoogenError(f"what answers at {address} is no Ray cluster (is it the dashboard's port?); {advice}")


def _speaks_grpc(address: str) -> bool:
    """Whether a gRPC server is there, as Ray's head is: other listeners would keep Ray waiting for minutes."""
    import grpc

    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=PROBE_SECONDS)
        except grpc.FutureTimeoutError:
            return False
    return True


def _running_here() -> str:
    """Address of the Ray that was last started on this machine; it may be gone."""
    from ray._private.services import canonicalize_bootstrap_address

    try:
        return str(canonicalize_bootstrap_address("auto"))
    except ConnectionError:
        advice = "start one with `ray start --head`, or leave the address out for a local Ray"
        raise ZoogenError(f"no Ray cluster runs on this machine; {advice}") from None


def _runtime_env() -> dict[str, Any]:
    """Lets workers import zoogen from where this process did, installed or not."""
    source = str(Path(zoogen.__file__).resolve().parent.parent)
    installed = source in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    given = [os.path.abspath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    paths = list(dict.fromkeys([*([] if installed else [source]), *given]))
    forwarded = {name: os.environ[name] for name in _FORWARDED if name in os.environ}
    return {"env_vars": {**forwarded, **({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})}}


def _local_authentication() -> dict[str, str]:
    """A token for a local Ray, unless the user has decided about authentication.

    Ray asks for a token by default when it starts a local cluster. Without this one it would make its own
    and leave it in the home directory, where it changes what later commands of Ray do.
    """
    if {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys():
        return {}
    return {"RAY_AUTH_TOKEN": _token()}


@cache  # one per process: Ray reads the token once
def _token() -> str:
    return secrets.token_hex(32)


def _cluster(ray: ModuleType, local: bool) -> Cluster:
    resources = ray.cluster_resources()
    address = ray.get_runtime_context().gcs_address
    return Cluster(address, local, float(resources.get("CPU", 0)), float(resources.get("GPU", 0)))
