"""When a worker counts as hanging: by its signs of life, on a clock of the test's own."""

from collections.abc import Callable

from zoogen.orchestration.config import PoolConfig
from zoogen.orchestration.life import Life
from zoogen.orchestration.worker import WorkerProgress

CONFIG = PoolConfig(heartbeat_s=100, progress_s=1000)


def answer(beats: int, processor_seconds: float) -> WorkerProgress:
    return WorkerProgress("work", 0, 0, {}, beats, processor_seconds)


def first_hang(life: Life, seconds: range, hear: Callable[[int], WorkerProgress | None]) -> tuple[int, str]:
    """When the worker first counts as hanging, asked every second, and why."""
    for second in seconds:
        if (heard := hear(second)) is not None:
            life.hear(heard, float(second))
        if why := life.hangs(float(second)):
            return second, why
    return 0, ""


def test_what_does_not_answer_or_answers_and_does_nothing_hangs_after_the_limit() -> None:
    for hear in (lambda second: answer(1, 5.0) if second == 10 else None, lambda s: answer(min(s, 10), 5 + 0.001 * s)):
        life = Life(CONFIG, 0.0)
        second, why = first_hang(life, range(200), hear)
        assert second == 111 and why == "no sign of life for 101 s, see pool.heartbeat_s"
        assert life.silent(111.0) and not life.silent(59.0)


def test_a_long_computation_is_none_until_its_own_limit() -> None:
    life = Life(CONFIG, 0.0)
    second, why = first_hang(life, range(2000), lambda second: answer(1, 0.5 * second))
    assert second == 1001 and why == "no progress for 1001 s, see pool.progress_s"


def test_progress_alone_is_a_sign_of_life() -> None:
    """Waiting for a store, say."""
    assert first_hang(Life(CONFIG, 0.0), range(5000), lambda second: answer(second // 90, 1.0)) == (0, "")


def test_time_in_which_the_driver_was_stopped_does_not_count() -> None:
    life = Life(CONFIG, 0.0)
    assert first_hang(life, range(50), lambda _: None) == (0, "")
    assert first_hang(life, range(5000, 5050), lambda _: None) == (0, "")
    assert first_hang(life, range(5050, 5100), lambda _: None)[0] == 5052


def test_silence_is_told_each_time_after_twice_as_long() -> None:
    told = []
    life = Life(PoolConfig(heartbeat_s=600), 0.0)
    for second in range(600):
        if line := life.notice(float(second)):
            told.append((second, line))
    assert [second for second, _ in told] == [60, 120, 240, 480]
    assert told[1][1] == "no sign of life for 120 s; its worker is replaced after 600 s"
    short = Life(PoolConfig(heartbeat_s=4), 0.0)
    assert short.notice(1.9) == "" and short.notice(2.0) != "", "half of a short limit"
