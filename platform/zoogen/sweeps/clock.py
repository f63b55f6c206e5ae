"""Where the time of a trial goes, as the driver sees it: also of one that has no result."""

from zoogen.sweeps.result import TrialTime

AUTOENCODER, GENERATOR, EVALUATION = "autoencoder", "generator", "evaluation"  # stages of a trial


class TrialClock:
    """Seconds of a trial by stage, from the reports of its process. Times are Unix times.

    A stage lasts from its first report to its last one, and the present stage until the trial ends. A reused stage
    has one report, so that it took none.
    """

    def __init__(self, begin: float) -> None:
        self.begin = begin
        self._waited = 0.0
        self._spans: dict[str, tuple[float, float]] = {}
        self._present = ""

    def told(self, stage: str, waited: float, now: float) -> None:
        """A report of a stage; `waited` is what the trial has waited for others so far."""
        first, _ = self._spans.get(stage, (now, now))
        self._spans[stage], self._present = (first, now), stage
        self._waited = max(self._waited, waited)

    def time(self, end: float) -> TrialTime:
        """The trial's time if it ends now."""
        if self._present:
            self.told(self._present, 0.0, end)
        seconds = {stage: last - first for stage, (first, last) in self._spans.items()}
        return TrialTime(
            begin=self.begin,
            end=end,
            training=seconds.get(AUTOENCODER, 0.0) + seconds.get(GENERATOR, 0.0),
            judging=seconds.get(EVALUATION, 0.0),
            waiting=self._waited,
        )
