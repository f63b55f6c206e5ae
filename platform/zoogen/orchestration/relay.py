"""What Ray Tune's driver tells of trials, by their names and in the words of a sweep."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from zoogen.orchestration.trial import STEP

TRIAL, RESULT, ERROR = "trial", "zoogen_result", "zoogen_error"  # keys of a trial's settings and last report
MAX_DEATHS = 2  # of a trial's process, before the trial has failed


class TrialListener(Protocol):
    """Told by the driver what becomes of the trials. What it raises ends the sweep."""

    def started(self, name: str) -> None:
        """The trial's process has begun, perhaps again after a death."""

    def reported(self, name: str, report: Mapping[str, Any]) -> None:
        """The trial said how far it is."""

    def finished(self, name: str, result: str) -> None:
        """The function returned."""

    def stopped(self, name: str, step: int) -> None:
        """The scheduler ended the trial after a report."""

    def failed(self, name: str, reason: str) -> None:
        """The function raised, or its process died too often."""

    def tick(self) -> None:
        """Some time has passed."""


def relay_to(listener: TrialListener, leases: Any) -> Any:
    """Tune's callback that speaks to the listener; `error` is what the listener raised."""
    from ray.tune import Callback

    class Relay(Callback):
        """Names trials as the caller does, and tells apart how they end."""

        def __init__(self) -> None:
            self._ended: set[str] = set()
            self.error: BaseException | None = None

        def __deepcopy__(self, memo: Any) -> "Relay":
            return self

        def __reduce__(self) -> Any:
            return (Callback, ())  # Tune keeps copies of its settings; this one is bound to the driver

        def _tell(self, call: Callable[..., None], *arguments: Any) -> None:
            if self.error is None:
                try:
                    call(*arguments)
                except BaseException as error:  # Tune would count it as the trial's, or leave the trials running
                    self.error = error

        def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            self._tell(listener.started, trial.config[TRIAL])

        def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
            name = trial.config[TRIAL]
            if RESULT in result:
                self._ended.add(name)
                self._tell(listener.finished, name, result[RESULT])
            elif ERROR in result:
                self._ended.add(name)
                self._tell(listener.failed, name, result[ERROR])
            else:
                self._tell(listener.reported, name, result)

        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            name = trial.config[TRIAL]
            leases.free.remote(name)
            if name not in self._ended:
                self._tell(listener.stopped, name, int((trial.last_result or {}).get(STEP, 0)))

        def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            leases.free.remote(trial.config[TRIAL])

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            name = trial.config[TRIAL]
            leases.free.remote(name)
            if name not in self._ended:
                self._tell(listener.failed, name, f"its process died {MAX_DEATHS + 1} times; see Ray's logs")

        def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
            self._tell(listener.tick)

    return Relay()


def stopper_of(relay: Any) -> Any:
    """Ends the sweep, and its trials, once the listener raised."""
    from ray.tune.stopper import NoopStopper

    class Stopper(NoopStopper):
        def stop_all(self) -> bool:
            return relay.error is not None

        def __deepcopy__(self, memo: Any) -> "Stopper":
            return self

        def __reduce__(self) -> Any:
            return (NoopStopper, ())

    return Stopper()
