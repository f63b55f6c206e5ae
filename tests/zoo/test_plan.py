"""The plan of a zoo: stable, disjoint splits, parts that survive growth."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.fakes import FakeTask

from zoogen.errors import ZoogenError
from zoogen.identity import digest
from zoogen.splits import SPLITS
from zoogen.tasks.records import COHORT_FORMAT, CohortSpec, RunSpec
from zoogen.zoo.plan import ZooConfig, part_key, plan_zoo, split_of, structure_key
from zoogen.zoo.store import validate_key

TASK = FakeTask()
counts = st.integers(0, 12)
configs = st.builds(
    ZooConfig,
    structures=st.permutations(["2", "3", "5"]).map(tuple),
    runs=st.integers(1, 20),
    validation_runs=counts,
    test_runs=counts,
    cohort=st.integers(1, 9),
    initialisation=st.sampled_from(["shared", "independent"]),
    seed=st.integers(0, 2**63 - 1),
)


@given(configs)
@settings(max_examples=50, deadline=None)
def test_every_run_is_planned_once_and_splits_are_disjoint(config):
    plan = plan_zoo(config, TASK)
    for structure in plan.structures:
        runs = [run.run for cohort in plan.cohorts_of(structure) for run in cohort.runs]
        by_split = {split: plan.runs_of(split) for split in SPLITS}
        assert sorted(runs) == sorted(run for of in by_split.values() for run in of) == sorted(set(runs))
        assert [len(by_split[s]) for s in SPLITS] == [config.runs, config.validation_runs, config.test_runs]
        assert all(plan.split_of(run) == split for split, of in by_split.items() for run in of)
    for cohort in plan.cohorts:
        assert 1 <= len(cohort.runs) <= config.cohort
        held_out = {split_of(run.run) != "train" for run in cohort.runs}
        assert len(held_out) == 1, "training runs and held-out runs are trained apart"
        validate_key(part_key(cohort))
    assert len({part_key(cohort) for cohort in plan.cohorts}) == len(plan.cohorts)
    seeds = [run.seed for cohort in plan.cohorts for run in cohort.runs]
    assert len(set(seeds)) == len(seeds) and all(0 <= seed < 2**63 for seed in seeds)


@given(configs, st.integers(1, 30))
@settings(max_examples=50, deadline=None)
def test_growing_reuses_parts(config, more):
    before = plan_zoo(config, TASK)
    after = plan_zoo(config.model_copy(update={"runs": config.runs + more}), TASK)
    assert before.digest != after.digest
    kept = {c.digest for c in after.cohorts}
    lost = [c for c in before.cohorts if c.digest not in kept]
    # Only a last, partly filled training cohort of each structure is trained anew.
    assert all(len(c.runs) < config.cohort and split_of(c.runs[0].run) == "train" for c in lost)
    assert len(lost) <= len(config.structures)
    specs = {(c.structure, r.run): r for c in after.cohorts for r in c.runs}
    assert all(specs[c.structure, r.run] == r for c in before.cohorts for r in c.runs), "a run never changes its seeds"


@given(configs)
@settings(max_examples=20, deadline=None)
def test_what_else_keeps_parts(config):
    """Another order or selection of structures names the same parts."""
    parts = {part_key(c) for c in plan_zoo(config, TASK).cohorts}
    turned = config.model_copy(update={"structures": tuple(reversed(config.structures))})
    assert {part_key(c) for c in plan_zoo(turned, TASK).cohorts} == parts
    single = config.model_copy(update={"structures": ("3",)})
    assert {part_key(c) for c in plan_zoo(single, TASK).cohorts} < parts


def test_initialisation():
    for initialisation, distinct in (("shared", 1), ("independent", 2 * 6)):
        config = ZooConfig(
            structures=("2", "3"), runs=3, validation_runs=1, test_runs=2, cohort=2, initialisation=initialisation
        )
        seeds = {run.init_seed for cohort in plan_zoo(config, TASK).cohorts for run in cohort.runs}
        assert len(seeds) == distinct


def test_a_single_run_with_a_large_cohort():
    plan = plan_zoo(ZooConfig(structures="2", runs=1, validation_runs=0, test_runs=0, cohort=64), FakeTask(200))
    assert [[run.run for run in cohort.runs] for cohort in plan.cohorts] == [[0]]


def test_everything_that_matters_changes_the_digest():
    base = ZooConfig(structures=("2", "3"))
    changes = ({"seed": 1}, {"runs": 5}, {"cohort": 3}, {"initialisation": "independent"}, {"structures": ("2",)})
    digests = [plan_zoo(base.model_copy(update=change), TASK).digest for change in ({}, *changes)]
    digests.append(plan_zoo(base, FakeTask(checkpoints=4)).digest)
    assert len(set(digests)) == len(digests)
    assert plan_zoo(base.model_copy(update={"structures": (" 02", "3")}), TASK).digest == digests[0], (
        "spelling does not"
    )


def test_the_same_digest_in_another_process():
    code = (
        "from tests.fakes import FakeTask; from zoogen.zoo.plan import *;"
        "print(plan_zoo(ZooConfig(structures=('2','3'), seed=7), FakeTask()).digest)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "5"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == plan_zoo(ZooConfig(structures=("2", "3"), seed=7), TASK).digest


def test_bad_plans():
    with pytest.raises(ZoogenError, match="names 2 twice"):
        plan_zoo(ZooConfig(structures=("2", "02")), TASK)
    with pytest.raises(ZoogenError, match="not a whole number"):
        plan_zoo(ZooConfig(structures=("x",)), TASK)
    for bad in ({"structures": ()}, {"runs": 0}, {"cohort": 0}, {"runs": 1_000_000}, {"initialisation": "other"}):
        with pytest.raises(ValidationError):
            ZooConfig(**{"structures": ("2",), **bad})
    for run in (-1, 3_000_000):
        with pytest.raises(ZoogenError, match="belongs to no split"):
            split_of(run)


def test_structure_keys():
    assert structure_key("36,12,3,6") == "36-12-3-6"
    assert structure_key("../é\\ x") == "------x"


class StyledTask(FakeTask):
    """A fake task with aligned starts: the same offset from every structure's optimum."""

    def aligned(self, structure, seeds):
        return torch.stack([self.optimum(structure) + (seed % 97) / 97 for seed in seeds])


@given(configs, st.dictionaries(st.sampled_from([" 02", "3"]), st.integers(1, 30)))
@settings(max_examples=50, deadline=None)
def test_runs_of_single_structures(config, own):
    plan = plan_zoo(config.model_copy(update={"runs_of": own}), TASK)
    wanted = {name: own.get({"2": " 02"}.get(name, name), config.runs) for name in plan.structures}
    for name, count in wanted.items():
        runs = [run.run for cohort in plan.cohorts_of(name, "train") for run in cohort.runs]
        assert runs == list(plan.runs_of("train", name)) == list(range(count))
        assert len(plan.runs_of("test", name)) == config.test_runs
    assert plan.runs_of("train") == tuple(range(max(wanted.values())))
    plain = plan_zoo(config, TASK)
    assert (plan.digest == plain.digest) is (not own)
    same = {c.digest for c in plan.cohorts} & {c.digest for c in plain.cohorts}
    assert same >= {c.digest for c in plain.cohorts if split_of(c.runs[0].run) != "train" or c.structure == "5"}


def test_only_some_structures_have_held_out_runs():
    config = ZooConfig(structures=("2", "3"), runs=3, validation_runs=1, test_runs=2, cohort=2)
    plan, plain = plan_zoo(config.model_copy(update={"held_out": (" 02",)}), TASK), plan_zoo(config, TASK)
    assert plan.config.held_out == ("2",)
    assert {c.digest for c in plan.cohorts} == {
        c.digest for c in plain.cohorts if c.structure == "2" or split_of(c.runs[0].run) == "train"
    }
    assert (len(plan.runs_of("test", "2")), plan.runs_of("test", "3"), len(plan.runs_of("train", "3"))) == (2, (), 3)
    with pytest.raises(ZoogenError, match=r"held_out names '5', which zoo\.structures lacks"):
        plan_zoo(config.model_copy(update={"held_out": ("5",)}), TASK)


def test_aligned_runs_share_a_style_across_structures_and_splits():
    given = {"structures": ("2", "3"), "runs": 5, "validation_runs": 3, "test_runs": 1, "initialisation": "aligned"}
    specs = plan_zoo(ZooConfig(**given, styles=2), StyledTask()).cohorts
    assert all(spec.aligned for spec in specs)
    of_style = {}
    for run in (run for spec in specs for run in spec.runs):
        of_style.setdefault(run.run % 1_000_000 % 2, set()).add(run.init_seed)
    assert all(len(seeds) == 1 for seeds in of_style.values()) and of_style[0] != of_style[1]
    own = [(r.run, r.init_seed) for spec in plan_zoo(ZooConfig(**given), StyledTask()).cohorts for r in spec.runs]
    assert len({seed for _, seed in own}) == len({run for run, _ in own}) == len(set(own)) == 9


def test_alignment_is_part_of_what_names_a_cohort():
    runs = (RunSpec(0, 1, 2),)
    plain, aligned = (CohortSpec({}, "2", runs, aligned=aligned).digest for aligned in (False, True))
    assert plain != aligned
    assert plain == digest({"format": COHORT_FORMAT, "task": {}, "structure": "2", "runs": [[0, 1, 2]]})
    assert not {"runs_of", "styles", "held_out"} & ZooConfig(structures="2").model_dump().keys()


def test_bad_runs_and_styles():
    with pytest.raises(ZoogenError, match=r"runs_of names '5', which zoo\.structures lacks"):
        plan_zoo(ZooConfig(structures=("2", "3"), runs_of={"5": 2}), TASK)
    with pytest.raises(ZoogenError, match=r"runs_of names 2 twice \(as '02'\)"):
        plan_zoo(ZooConfig(structures=("2", "3"), runs_of={"2": 2, "02": 3}), TASK)
    with pytest.raises(ZoogenError, match=r"aligned, but the task fake has no .* take shared or independent"):
        plan_zoo(ZooConfig(structures="2", initialisation="aligned"), TASK)
    for bad in ({"runs_of": {"2": 0}}, {"styles": 2}, {"initialisation": "aligned", "styles": 0}):
        with pytest.raises(ValidationError):
            ZooConfig(structures=("2",), **bad)
