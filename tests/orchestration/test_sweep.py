"""Ray Tune on a real local Ray: trials that finish, fail, are stopped early or share work; how many fit."""

import os
import signal
from collections.abc import Mapping
from typing import Any

import pytest

from zoogen.errors import ZoogenError
from zoogen.orchestration.cluster import Cluster, connect
from zoogen.orchestration.sweep import HalvingRule, TrialResources, run_trials
from zoogen.orchestration.trial import STEP


class Listener:
    """Remembers what it is told."""

    def __init__(self, raise_at: str = "") -> None:
        self.ends: dict[str, tuple[str, Any]] = {}
        self.steps: dict[str, list[int]] = {}
        self.order: list[str] = []
        self._raise_at = raise_at

    def started(self, name: str) -> None:
        self.order.append(name)

    def reported(self, name: str, report: Mapping[str, Any]) -> None:
        self.steps.setdefault(name, []).append(report[STEP])

    def finished(self, name: str, result: str) -> None:
        self.ends[name] = "finished", result
        if name == self._raise_at:
            raise ZoogenError("the listener has had enough")

    def stopped(self, name: str, step: int) -> None:
        self.ends[name] = "stopped", step

    def failed(self, name: str, reason: str) -> None:
        self.ends[name] = "failed", reason

    def tick(self) -> None:
        pass


@pytest.fixture(scope="module")
def cluster():
    with connect(num_cpus=2) as connected:
        yield connected


def constant_loss() -> Any:
    """A function that is sent by value, since workers do not know this module."""

    def work(payload: float, handle: Any) -> str:
        """Eight steps with a constant loss; a negative one is the user's mistake, an infinite one ours."""
        if payload < 0:
            raise ZoogenError("no loss is negative")
        if payload == float("inf"):
            raise ValueError("infinite")
        for step in range(1, 9):
            handle.report({STEP: step, "loss": payload})
        return f"{handle.name} {payload}"

    return work


def test_trials_finish_fail_and_stop(cluster: Cluster) -> None:
    listener = Listener()
    payloads = {"best": 1.0, "bad": -1.0, "worst": 5.0, "broken": float("inf"), "better": 0.5}
    rule = HalvingRule("loss", "min", grace=2, reduction_factor=2, iterations=8)
    run_trials(constant_loss(), payloads, TrialResources(), 1, listener, rule)
    assert listener.order == list(payloads), "in the order given"
    assert listener.ends == {
        "best": ("finished", "best 1.0"),
        "bad": ("failed", "no loss is negative"),
        "worst": ("stopped", 2),
        "broken": ("failed", "ValueError: infinite"),
        "better": ("finished", "better 0.5"),
    }
    assert listener.steps == {"best": [*range(1, 9)], "worst": [1, 2], "better": [*range(1, 9)]}


def test_earlier_curves_count_and_a_listener_that_raises_ends_the_sweep(cluster: Cluster) -> None:
    rule = HalvingRule("loss", "min", grace=2, reduction_factor=2, iterations=8)
    earlier = [[{STEP: float(step), "loss": 1.0} for step in range(1, 9)]]
    listener = Listener(raise_at="good")
    payloads = {"late": 5.0, "good": 0.5, "never": 0.1}
    with pytest.raises(ZoogenError, match="had enough"):
        run_trials(constant_loss(), payloads, TrialResources(), 1, listener, rule, earlier)
    assert listener.ends == {"late": ("stopped", 2), "good": ("finished", "good 0.5")}


def test_shared_work_is_done_by_one_trial(cluster: Cluster, tmp_path) -> None:
    made = tmp_path / "made"

    def share(payload: str, handle: Any) -> str:
        import os
        import time

        with handle.exclusive("work", lambda: os.path.exists(payload)):
            if os.path.exists(payload):
                return f"reused {handle.waited > 0.1}"
            time.sleep(1.0)
            with open(payload, "x"):
                return "made"

    listener = Listener()
    run_trials(share, {name: str(made) for name in "ab"}, TrialResources(), 2, listener)
    assert sorted(result for _, result in listener.ends.values()) == ["made", "reused True"]


@pytest.mark.parametrize(
    ("resources", "trials", "expected"),
    [
        (TrialResources(), 9, 4),
        (TrialResources(), 3, 3),
        (TrialResources(cpus=2.0), 9, 2),
        (TrialResources(at_once=1), 9, 1),
        (TrialResources(gpus=0.5), 9, 2),
        (TrialResources(workers_cpus=1.0), 9, 3),  # a CPU must not be lost to the trials themselves
        (TrialResources(workers_cpus=2.0), 9, 1),
    ],
)
def test_how_many_fit(resources: TrialResources, trials: int, expected: int) -> None:
    assert resources.concurrency(Cluster("", True, cpus=4.0, gpus=1.0), trials) == expected


def test_a_cluster_that_holds_none_is_one_line() -> None:
    with pytest.raises(ZoogenError, match=r"a trial needs 4.01 CPUs and 0 GPUs, the cluster has 4 CPUs"):
        TrialResources(workers_cpus=4.0).concurrency(Cluster("", True, cpus=4.0, gpus=0.0), 1)


def test_a_terminated_driver_exits_as_one(cluster: Cluster) -> None:
    class Terminated(Listener):
        def reported(self, name: str, report: Mapping[str, Any]) -> None:
            os.kill(os.getpid(), signal.SIGTERM)  # Ray's own handler takes it

    with pytest.raises(SystemExit) as stop:
        run_trials(constant_loss(), {"one": 0.5}, TrialResources(), 1, Terminated())
    assert stop.value.code == 128 + signal.SIGTERM
