"""The N at which a perfect sampler reads a given JS, against counting by hand."""

import math

import pytest

from zoogen.benchmarks.config import ProtocolBenchmark
from zoogen.benchmarks.protocol import matching_samples, measure_protocol, perfect_readings
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask

TASK = HypergridTask(HypergridConfig())


class Quiet:
    """A console that keeps what it is told."""

    def __init__(self):
        self.said = []

    def say(self, text):
        self.said.append(text)


def test_one_sample_reads_what_a_point_mass_has():
    # All four states of 2^2 have equal reward, so the JS of one sample is that of (1/4, …) and (1, 0, 0, 0).
    point = 0.5 * (math.log(1 / (5 / 8)) + 0.25 * math.log(0.25 / (5 / 8)) + 0.75 * math.log(2))
    config = ProtocolBenchmark(repeats=3)
    assert perfect_readings(TASK, "2^2", 1, config)["js"] == pytest.approx(point)


def test_bisection_finds_the_number_of_samples():
    config = ProtocolBenchmark(repeats=8, most_samples=500)
    wanted = perfect_readings(TASK, "4^4", 60, config)["js"]
    samples, read = matching_samples(TASK, "4^4", wanted, config)
    assert read["js"] == pytest.approx(wanted, rel=0.02)
    assert 50 <= samples <= 70


def test_every_published_structure_has_a_row():
    config = ProtocolBenchmark(repeats=1, most_samples=20)
    console = Quiet()
    measured = measure_protocol(config, console)
    assert len(measured.table) == len(console.said) == 12
    js_and_kl, all_three = (measure.value for measure in measured.measures)
    assert all_three == sum(row["same"] == "JS, KL, L1" for row in measured.table) <= js_and_kl
    assert all(1 <= row["N"] <= 20 for row in measured.table)
