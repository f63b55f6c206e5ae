"""When a worker counts as hanging: by its signs of life, on a clock of the test's own."""

from zoogen.orchestration.config import PoolConfig
from zoogen.orchestration.life import Life
from zoogen.orchestration.worker import WorkerProgress

CONFIG = PoolConfig(heartbeat_s=100, progress_s=1000)


def answer(beats: int, processor_seconds: float) -> WorkerProgress:
    return WorkerProgress("work", 0, 0, {}, beats, processor_seconds)


def test_what_neither_answers_nor_works_hangs_after_the_limit() -> None:
    life = Life(CONFIG, 0.0)
    life.hear(answer(1, 5.0), 10.0)
    assert not life.silent(59) and life.silent(61)
    assert life.hangs(110) == "" and "no sign of life for 111 s" in life.hangs(121)
    for second in range(11, 120):  # it answers, and that is all it does
        life.hear(answer(1, 5.0 + 0.001 * (second - 10)), float(second))
    assert "pool.heartbeat_s" in life.hangs(121)


def test_a_long_computation_is_none_until_its_own_limit() -> None:
    life = Life(CONFIG, 0.0)
    for second in range(0, 1000, 5):
        life.hear(answer(1, 0.5 * second), float(second))
        assert life.hangs(float(second)) == "" and not life.silent(float(second))
    life.hear(answer(1, 500.5), 1001.0)
    assert "no progress for 1001 s, see pool.progress_s" in life.hangs(1001)


def test_progress_alone_is_a_sign_of_life() -> None:
    life = Life(CONFIG, 0.0)
    for beat in range(40):  # waiting for a store, say
        life.hear(answer(beat, 1.0), 90.0 * beat)
        assert life.hangs(90.0 * beat + 89) == ""


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
