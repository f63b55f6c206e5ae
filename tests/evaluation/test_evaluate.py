"""A whole evaluation on a fake task: every method, equal counts, numbers that can be recomputed."""

import math

import numpy as np
import pytest
import torch
from tests.fakes import AuditedTask, FakeTask, MemoryZoo, NoisyOptimum

from zoogen.errors import ZoogenError
from zoogen.evaluation.config import AuditConfig, EvaluationConfig, WeightMapConfig
from zoogen.evaluation.evaluate import evaluate
from zoogen.evaluation.judgement import choose
from zoogen.evaluation.methods import candidates_of
from zoogen.evaluation.pictures import median_network
from zoogen.evaluation.result import Evaluation, Inputs
from zoogen.evaluation.structure import Sources, StructureData, nearest_structure
from zoogen.evaluation.structure_evaluation import evaluate_structure
from zoogen.splits import SPLITS
from zoogen.zoo.plan import ZooConfig

KNOWN, UNSEEN = ("2", "3"), ("5", "6")


class RoundingCodec:
    """An autoencoder that rounds weights to halves."""

    def encode(self, target, weights):
        return (weights * 2).round()

    def decode(self, target, latents):
        return latents / 2

    def sample_prior(self, target, count, seed):
        latents = torch.randn(count, target.layout.size, generator=torch.Generator().manual_seed(seed))
        return self.decode(target, latents)


@pytest.fixture(scope="module")
def task():
    return FakeTask(checkpoints=4)


@pytest.fixture(scope="module")
def zoo(task):
    return MemoryZoo(task, ZooConfig(structures=KNOWN, runs=6, validation_runs=1, test_runs=3, cohort=4))


@pytest.fixture(scope="module")
def reference(task):
    return MemoryZoo(task, ZooConfig(structures=("5",), runs=2, validation_runs=0, test_runs=1, cohort=4, seed=1))


@pytest.fixture(scope="module")
def config():
    return EvaluationConfig(count=10, structures=(" 5 ", "6", "2"), average_k=(2, 5, 999), seed=3)


@pytest.fixture(scope="module")
def evaluation(task, zoo, reference, config):
    return evaluate(
        task,
        zoo,
        NoisyOptimum(task, 0.1),
        config,
        codec=RoundingCodec(),
        reference=reference,
        inputs=Inputs(study="test", zoo=zoo.plan.digest, generator="g"),
        cost={"zoo": 12.0},
    )


def test_methods_of_known_and_unseen_structures(evaluation):
    methods = {s: [r.method for r in evaluation.results if r.structure == s] for s in (*KNOWN, *UNSEEN)}
    from_zoo = [
        "held-out",
        "held-out-last",
        "training",
        "nearest",
        "average-2",
        "average-5",
        "gaussian",
        "pca-gaussian",
    ]
    ladder = ["noise-0.001", "noise-0.01", "noise-0.05", "noise-0.15"]
    kernels = ["kde-0.01", "kde-0.1", "kde-0.3"]
    known = ["generated", *from_zoo, *ladder, "reconstructed", *kernels, "prior", "random", "untrained"]
    assert methods["2"] == methods["3"] == known
    assert methods["5"] == ["generated", "nearest", "untrained", "reference", "reference-last"]
    assert methods["6"] == ["generated", "nearest", "untrained"]
    assert {r.known for r in evaluation.results if r.structure in KNOWN} == {True}
    assert {r.known for r in evaluation.results if r.structure in UNSEEN} == {False}


def test_equal_numbers_for_all_methods(evaluation):
    ends = ("held-out-last", "reference-last")
    assert {r.count for r in evaluation.results if r.method not in ends} == {10}
    assert {r.count for r in evaluation.results if r.method == "held-out-last"} == {3}
    assert all(len(v) == r.count for r in evaluation.results for v in r.metrics.values())


def test_generated_is_as_good_as_its_noise(evaluation):
    for structure in (*KNOWN, *UNSEEN):
        # The mean square of normal noise of size .1 is .01.
        assert evaluation.result(structure, "generated").summary().mean == pytest.approx(0.01, rel=0.35)
        untrained = evaluation.result(structure, "untrained")
        assert untrained.summary().mean == pytest.approx(1.0, rel=0.5)


def test_held_out_networks_come_from_test_runs_and_reconstruction_from_the_same_rows(task, zoo, evaluation):
    for structure in KNOWN:
        test = zoo.select(structure, "test")
        optimum = task.optimum(structure).double()
        error = ((test.weights.double() - optimum) ** 2).mean(1)
        rounded = ((((test.weights * 2).round() / 2).double() - optimum) ** 2).mean(1)
        held = evaluation.result(structure, "held-out").metrics["exact.js"]
        again = evaluation.result(structure, "reconstructed").metrics["exact.js"]
        rows = [int((error - value).abs().argmin()) for value in held]
        assert len(set(rows)) == 10
        np.testing.assert_allclose(error[rows], held, rtol=1e-9)
        np.testing.assert_allclose(rounded[rows], again, rtol=1e-9)
        last = evaluation.result(structure, "held-out-last").metrics["exact.js"]
        np.testing.assert_allclose(sorted(last), sorted(error[test.steps == 4].tolist()), rtol=1e-9)


def test_ratios_are_to_the_last_checkpoints_on_known_and_unseen_structures(task, zoo, reference, evaluation):
    """One meaning of conventional training: earlier checkpoints are worse, and would flatter what is compared."""
    unseen = UNSEEN[0]
    runs = {name: [zoo.select(name, "test")] for name in KNOWN}
    runs[unseen] = [reference.select(unseen, split) for split in SPLITS if reference.plan.runs_of(split)]
    for structure, parts in runs.items():
        optimum = task.optimum(structure).double()
        ends = torch.cat([part.weights[part.steps == 4] for part in parts]).double()
        expected = ((ends - optimum) ** 2).mean(1)[:10].quantile(0.5).item()
        assert evaluation.conventional(structure).summary().median == pytest.approx(expected, rel=1e-6)
        generated = evaluation.result(structure, "generated").summary().median
        assert evaluation.ratios_of_all()[structure, "generated"] == pytest.approx(generated / expected, rel=1e-6)
        every = evaluation.result(structure, "reference" if structure == unseen else "held-out").summary().median
        assert every > 1.1 * expected
    assert evaluation.conventional(UNSEEN[1]) is None


def _candidates(task, zoo, config, structure, **sources):
    data = StructureData(Sources(task, config, zoo, **sources), structure)
    return {candidate.method: candidate.make() for candidate in candidates_of(data)}


def test_nearest_is_the_training_checkpoint_beside_each_generated_network(task, zoo, config):
    made = _candidates(task, zoo, config, "2", generator=NoisyOptimum(task, 0.1))
    train = zoo.select("2", "train").weights
    for generated, nearest in zip(made["generated"].weights, made["nearest"].weights, strict=True):
        assert torch.equal(nearest, train[((train - generated) ** 2).sum(1).argmin()])


def test_unseen_structures_start_from_the_nearest_known_one(task, zoo, config):
    assert nearest_structure(task, "6", ("2", "3")) == "3"
    made = _candidates(task, zoo, config, "5")["nearest"]
    assert made.weights.shape == (10, 15)
    assert "training checkpoints of F3, carried over" in made.notices[-1]
    weight = task.layout("5").unflatten(made.weights)["dense1.weight"]
    source = task.layout("3").unflatten(zoo.select("3", "train").weights)["dense1.weight"]
    rows = [int(((source - w[:3]) ** 2).sum((1, 2)).argmin()) for w in weight]
    assert len(set(rows)) == 10
    assert torch.equal(source[rows], weight[:, :3])


class TwoNumbers(FakeTask):
    """Conditions with a positive number, compared by its logarithm, and one that may be 0."""

    def condition(self, structure):
        return {"2": (1.0, 0.0), "3": (10.0, 0.0), "4": (1.0, 1.0), "7": (5.0, 0.0), "8": (1.2, 0.9)}[structure]


def test_conditions_are_compared_by_logarithms_where_positive():
    task = TwoNumbers()
    assert nearest_structure(task, "7", ("2", "3", "4")) == "3"  # 5 is nearer to 1 than to 10, but not its logarithm
    assert nearest_structure(task, "8", ("2", "3", "4")) == "4"
    assert nearest_structure(task, "8", ("2", "3")) == "2"  # a number without spread does not divide by 0


def test_decoded_latents(task, zoo, config):
    exact = config.model_copy(update={"kde": (1e-9,)})
    made = _candidates(task, zoo, exact, "2", codec=RoundingCodec())
    reconstructed = (zoo.select("2", "train").weights * 2).round() / 2
    assert torch.cdist(made["kde-1e-09"].weights, reconstructed).amin(1).max() == pytest.approx(0, abs=1e-6)
    many = config.model_copy(update={"count": 4000, "methods": ("prior",), "unseen_methods": ("prior",)})
    for structure in ("2", "6"):  # nothing but the codec is needed, so an unseen structure will do
        prior = _candidates(task, zoo, many, structure, codec=RoundingCodec())["prior"].weights
        assert prior.shape == (4000, task.layout(structure).size)
        np.testing.assert_allclose(prior.std(0).numpy(), 0.5, rtol=0.06)  # decoding halves a standard normal latent


def test_novelty_by_brute_force(zoo, evaluation):
    train = zoo.select("2", "train")
    result = evaluation.result("2", "held-out")
    test = zoo.select("2", "test").weights.double().numpy()
    nearest = [np.sqrt(((w - train.weights.double().numpy()) ** 2).mean(1)).min() for w in test]
    for value in result.metrics["novelty.nearest_train"]:
        assert np.abs(np.array(nearest) - value).min() < 1e-9
    assert result.floors["novelty"]["train_train"]["nearest_train"] > 0
    assert "novelty.nearest_train" not in evaluation.result("2", "training").metrics
    assert "novelty.nearest_train" not in evaluation.result("5", "generated").metrics


def test_floors_settings_cost_and_identity_are_carried(task, evaluation):
    result = evaluation.result("2", "generated")
    assert result.floors["sampled"]["perfect"] == {"l1": 0.01}
    seeds = {r.settings["sampled"]["seed"] for r in evaluation.results if r.structure == "2"}
    assert len(seeds) == 1  # one protocol for all methods
    assert evaluation.cost["zoo"] == 12.0
    assert evaluation.cost["generating"] >= 0
    assert evaluation.cost["judging"] > 0
    assert evaluation.result("2", "held-out").seconds.training == pytest.approx(0.5)
    assert result.seconds.generating is not None and result.seconds.training is None
    assert evaluation.inputs.generator == "g"
    assert evaluation.task == task.resolved()
    assert evaluation.environment.versions["torch"] == torch.__version__.partition("+")[0] or torch.__version__
    assert any("too few for averages of [999]" in notice for notice in evaluation.notices)
    assert evaluation.result("5", "reference").notices == ()


def test_shortage_is_said(task, zoo):
    short = evaluate(task, zoo, None, EvaluationConfig(count=50, methods=("held-out", "untrained")))
    held = short.result("2", "held-out")
    assert held.count == 12
    assert held.notices == ("only 12 checkpoints of 3 runs, fewer than the 50 asked for",)
    assert [r.method for r in short.results] == ["held-out", "held-out-last", "untrained"] * 2
    assert short.ratios() == {}


def test_same_seed_gives_the_same_numbers(task, zoo, config, evaluation):
    again = evaluate(task, zoo, NoisyOptimum(task, 0.1), config)
    for result in again.results:
        assert result.metrics == evaluation.result(result.structure, result.method).metrics
    other = evaluate(task, zoo, NoisyOptimum(task, 0.1), config.model_copy(update={"seed": 4}))
    assert other.result("2", "generated").metrics != evaluation.result("2", "generated").metrics


def test_portraits_show_the_median_network_once_beside_the_truth(task, evaluation):
    pictures = [p for p in evaluation.portraits if p.structure == "2"]
    assert [p.method for p in pictures] == ["truth", "generated", "held-out", "untrained"]
    np.testing.assert_allclose(np.array(pictures[0].values).ravel(), task.optimum("2").numpy(), rtol=1e-5)
    generated = evaluation.result("2", "generated")
    assert pictures[1].value == sorted(generated.metrics["exact.js"])[4]
    assert [p.method for p in evaluation.portraits if p.structure == "5"][-1] == "reference"


def test_median_network():
    assert median_network([3.0, 1.0, 2.0]) == 2
    assert median_network([4.0, 1.0, 2.0, 3.0]) == 2


@pytest.fixture(scope="module")
def audited():
    task = AuditedTask(checkpoints=4)
    zoo = MemoryZoo(task, ZooConfig(structures=KNOWN, runs=6, validation_runs=1, test_runs=3, cohort=4))
    config = EvaluationConfig(
        count=12,
        structures=UNSEEN,
        methods=("generated", "held-out", "training", "untrained", "noise"),
        audit=AuditConfig(sample=5),
        weight_maps=WeightMapConfig(structures=("3", " 5"), networks=2),
    )
    return zoo, evaluate(task, zoo, NoisyOptimum(task, 0.1), config)


def test_the_network_is_chosen_by_another_metric_than_the_reported_one(audited):
    differs = False
    for result in audited[1].results:
        l1, js = result.metrics["sampled.l1"], result.metrics["exact.js"]
        best = int(np.argmin(l1))
        assert (result.selection.index, result.selection.by) == (best, "sampled.l1")
        assert (result.selection.chosen, result.selection.value) == (l1[best], js[best])
        assert result.best == min(js)
        differs = differs or result.selection.value > result.best
    assert differs


def test_choice_falls_back_and_skips_what_was_not_measured():
    metrics = {"exact.js": [3.0, 1.0, 2.0], "sampled.l1": [math.nan, 0.5, 0.1]}
    chosen = choose(("absent", "sampled.l1"), metrics, "exact.js")
    assert (chosen.index, chosen.by, chosen.chosen, chosen.value) == (2, "sampled.l1", 0.1, 2.0)
    assert choose(("absent",), metrics, "exact.js") is None


def test_audit_is_carried_into_the_results(audited):
    zoo, evaluation = audited
    names = {f"novelty.{name}" for name in ("nearest_train", "matched_train", "behaviour_train")}
    result = evaluation.result("2", "generated")
    assert names <= set(result.metrics)
    assert [math.isnan(v) for v in result.metrics["novelty.behaviour_train"]] == [False] * 5 + [True] * 7
    assert {f"novelty.{name}" for name in result.floors["novelty"]["train_train"]} == names
    assert not names & set(evaluation.result("2", "training").metrics)
    assert not names & set(evaluation.result("5", "generated").metrics)
    assert {"coverage.behaviour", "diversity.behaviour"} <= set(evaluation.result("2", "training").figures)
    # The rungs of the ladder lie at growing distances from the training checkpoints.
    ladder = [
        evaluation.result("2", f"noise-{s:g}").summary("novelty.nearest_train").median for s in (1e-3, 0.01, 0.05)
    ]
    std = zoo.select("2", "train").weights.double()
    weight, bias = std[:, :4].std(unbiased=False), std[:, 4:].std(unbiased=False)
    expected = float(((4 * weight**2 + 2 * bias**2) / 6).sqrt())
    np.testing.assert_allclose(ladder[:2], [1e-3 * expected, 0.01 * expected], rtol=0.5)
    assert ladder[0] < ladder[1] < ladder[2]
    assert evaluation.cost["auditing"] == pytest.approx(sum(r.seconds.auditing for r in evaluation.results))
    again = Evaluation.from_json(evaluation.to_json())
    assert again.to_json() == evaluation.to_json()


def test_statistics_of_every_tensor(audited):
    zoo, evaluation = audited
    weights = zoo.select("2", "train").weights.numpy().astype(np.float64)
    everything = evaluate(
        AuditedTask(checkpoints=4), zoo, None, EvaluationConfig(count=99, methods=("training",))
    ).result("2", "training")
    for name, columns in (("dense1.weight", slice(0, 4)), ("dense1.bias", slice(4, 6))):
        assert everything.tensors[name].variance == pytest.approx(weights[:, columns].var())
        assert everything.tensors[name].between == pytest.approx(weights[:, columns].var(0).mean())
    assert set(evaluation.result("6", "generated").tensors) == {"dense1.weight", "dense1.bias"}


def test_weight_matrices_of_the_wanted_structures(task, zoo, audited):
    maps = audited[1].weight_maps
    assert [(m.structure, m.method, m.network, m.tensor) for m in maps] == [
        ("3", "generated", 0, "dense1.weight"), ("3", "generated", 1, "dense1.weight"),
        ("3", "held-out", 0, "dense1.weight"),
        ("5", "generated", 0, "dense1.weight"), ("5", "generated", 1, "dense1.weight"),
    ]  # fmt: skip
    config = EvaluationConfig(count=12, structures=UNSEEN)
    made = _candidates(audited[0].task, audited[0], config, "3", generator=NoisyOptimum(task, 0.1))
    for picture in maps[:3]:
        expected = made[picture.method].weights[picture.network][:6].reshape(3, 2).numpy()
        np.testing.assert_allclose(np.array(picture.values), expected, rtol=6e-4)
    default = evaluate(task, zoo, NoisyOptimum(task), EvaluationConfig(count=3, methods=("generated",)))
    assert {m.structure for m in default.weight_maps} == {"2"}
    assert len(default.weight_maps) == 3
    small = EvaluationConfig(count=3, methods=("generated",), weight_maps=WeightMapConfig(largest=3))
    assert evaluate(task, zoo, NoisyOptimum(task), small).weight_maps == ()
    with pytest.raises(ZoogenError, match="weight_maps.structures names 9, which is not evaluated"):
        evaluate(task, zoo, None, EvaluationConfig(count=3, weight_maps=WeightMapConfig(structures=("9",))))


class Broken(NoisyOptimum):
    """Gives NaN in the first `bad` networks."""

    def __init__(self, task, bad):
        super().__init__(task)
        self.bad = bad

    def generate(self, target, count, seed, device):
        weights = super().generate(target, count, seed, device)
        weights[: self.bad, 0] = math.nan
        return weights


def test_networks_that_are_not_finite_count_as_worst(task, zoo):
    config = EvaluationConfig(count=10, methods=("generated",))
    broken = evaluate(task, zoo, Broken(task, 4), config).result("2", "generated")
    assert broken.metrics["exact.js"][:4] == (math.inf,) * 4
    assert math.isnan(broken.metrics["exact.tv"][0])
    assert broken.count == 10
    assert "4 of 10" in broken.notices[0]
    mostly = evaluate(task, zoo, Broken(task, 8), config)
    assert mostly.result("2", "generated").summary().median == math.inf
    assert Evaluation.from_json(mostly.to_json()).result("2", "generated").metrics["exact.js"][0] == math.inf
    with pytest.raises(ZoogenError, match="no finite weights"):
        evaluate(task, zoo, Broken(task, 10), config)


def test_structures_beyond_the_exact_judge_rank_by_the_sampled_protocol(zoo):
    task = FakeTask(checkpoints=4, exact_limit=2)
    evaluation = evaluate(task, zoo, NoisyOptimum(task), EvaluationConfig(count=4, methods=("generated", "held-out")))
    assert evaluation.result("2", "generated").primary == "exact.js"
    result = evaluation.result("3", "generated")
    assert result.primary == "sampled.l1"
    assert "too large" in result.notices[0]
    assert set(evaluation.ratios()) == {"F2", "F3"}


def test_single_run_zoo_without_test_runs(task):
    zoo = MemoryZoo(task, ZooConfig(structures=("2",), runs=1, validation_runs=0, test_runs=0))
    evaluation = evaluate(task, zoo, NoisyOptimum(task), EvaluationConfig(count=4, average_k=(2,)))
    ladder = ["noise-0.001", "noise-0.01", "noise-0.05", "noise-0.15"]
    simple = ["nearest", "average-2", "gaussian", "pca-gaussian", *ladder, "random", "untrained"]
    assert [r.method for r in evaluation.results] == ["generated", "training", *simple]
    assert "only 1 training runs" in evaluation.result("2", "average-2").notices[0]
    assert "no test runs" in evaluation.notices[0]
    assert "novelty" not in evaluation.result("2", "generated").floors


def test_progress_and_unknown_structure(task, zoo):
    seen = []
    evaluate(
        task,
        zoo,
        None,
        EvaluationConfig(count=2, methods=("untrained",)),
        progress=lambda done, total, what: seen.append((done, total, what)),
    )
    assert seen == [(0, 2, "F2 untrained"), (1, 2, "F3 untrained"), (2, 2, "done")]
    with pytest.raises(ZoogenError, match="whole number"):
        evaluate(task, zoo, None, EvaluationConfig(structures=("tower",)))


def test_only_the_named_structures_of_the_zoo_are_judged(task, zoo, config):
    chosen = config.model_copy(update={"known": ("3",), "structures": ("5",)})
    judged = evaluate(task, zoo, NoisyOptimum(task, 0.1), chosen)
    assert list(dict.fromkeys(r.structure for r in judged.results)) == ["3", "5"]
    whole = evaluate(task, zoo, NoisyOptimum(task, 0.1), config)
    assert judged.result("3", "generated").metrics == whole.result("3", "generated").metrics
    unseen_alone = evaluate(task, zoo, None, chosen.model_copy(update={"known": ()}))
    assert {r.structure for r in unseen_alone.results} == {"5"}


def test_a_known_structure_that_the_zoo_lacks_is_one_line(task, zoo, config):
    with pytest.raises(ZoogenError, match="evaluation.known names '?5'?, which the zoo does not hold"):
        evaluate(task, zoo, None, config.model_copy(update={"known": ("5",)}))


def test_structures_outside_of_what_a_generator_was_taught_are_named() -> None:
    """By every generator that says what it was taught; known structures are not outside."""

    class AxesTask(FakeTask):
        def axes(self, structure: str) -> dict[str, float]:
            return {"n": float(structure)}

    class Taught(NoisyOptimum):
        structures = ("2", "3")

    task = AxesTask()
    zoo = MemoryZoo(task, ZooConfig(structures=("2", "3"), runs=2, validation_runs=0, test_runs=1))
    config = EvaluationConfig(count=4, structures=("9",), methods=("generated", "untrained"))
    sources = Sources(task, config, zoo, Taught(task), others={"plain": NoisyOptimum(task), "second": Taught(task)})
    for name in sources.structures:
        part = evaluate_structure(StructureData(sources, name))
        notices = {result.method: result.notices for result in part.results}
        beyond = ("F9*: n = 9 lies beyond the 2–3 taught",) if name == "9" else ()
        assert notices == {"generated": beyond, "untrained": (), "plain": (), "second": beyond}
