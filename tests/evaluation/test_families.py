"""Ensemble, variational autoencoder, originals against each other, denoising trajectories."""

import math

import numpy as np
import pytest
import torch
from tests.evaluation.error_task import IMAGES, ErrorTask, HalvingNoise
from tests.fakes import AuditedTask, MemoryZoo, NoisyOptimum

from zoogen.autoencoders.config import Conv1dAutoencoderConfig
from zoogen.errors import ZoogenError
from zoogen.evaluation import distances, novelty
from zoogen.evaluation.audit import Audit
from zoogen.evaluation.config import AuditConfig, EvaluationConfig, TrajectoryConfig
from zoogen.evaluation.evaluate import evaluate
from zoogen.evaluation.methods import candidates_of
from zoogen.evaluation.result import Evaluation
from zoogen.evaluation.structure import Sources, StructureData
from zoogen.training.config import LoopConfig
from zoogen.zoo.plan import ZooConfig

STRUCTURE = "3"
ZOO = ZooConfig(structures=(STRUCTURE, "4"), runs=6, validation_runs=0, test_runs=2, cohort=4)


@pytest.fixture(scope="module")
def task():
    return ErrorTask(checkpoints=4)


@pytest.fixture(scope="module")
def zoo(task):
    return MemoryZoo(task, ZOO)


def _made(task, zoo, **settings):
    data = StructureData(Sources(task, EvaluationConfig(count=12, **settings), zoo), STRUCTURE)
    return data, {candidate.method: candidate.make() for candidate in candidates_of(data)}


def test_the_ensemble_is_the_average_of_all_training_checkpoints(task, zoo):
    data, made = _made(task, zoo, methods=("ensemble",))
    rows = data.train.weights.numpy().astype(np.float64)
    assert made["ensemble"].weights.shape == (1, rows.shape[1])
    np.testing.assert_allclose(made["ensemble"].weights[0].numpy(), rows.mean(0), atol=1e-6)
    assert made["ensemble"].generating >= 0


class Halving:
    """Latents are half of the weights, squared where they stand for networks, so that means in them differ."""

    def encode(self, target, weights):
        return weights.square()

    def decode(self, target, latents):
        return latents.sqrt()


def test_latents_are_averaged_of_the_runs_that_weights_are(task, zoo):
    """By a codec whose means are root mean squares, of the same checkpoints."""
    config = EvaluationConfig(count=12, methods=("average", "latent-average"), average_k=(2,))
    data = StructureData(Sources(task, config, zoo, codec=Halving()), STRUCTURE)
    made = {candidate.method: candidate.make().weights for candidate in candidates_of(data)}
    assert list(made) == ["average-2", "latent-average-2"]
    rows = data.train.weights
    for mean, found in zip(made["average-2"], made["latent-average-2"], strict=True):
        pairs = [(a, b) for a in range(len(rows)) for b in range(a) if torch.allclose((rows[a] + rows[b]) / 2, mean)]
        ((a, b),) = pairs
        torch.testing.assert_close(found, ((rows[a].square() + rows[b].square()) / 2).sqrt())


def test_the_variational_autoencoder_samples_its_prior(task, zoo):
    config = Conv1dAutoencoderConfig(latent=4, channels=(4, 8), kl=1e-2, loop=LoopConfig(iterations=60, batch_size=16))
    _, made = _made(task, zoo, methods=("vae",), vae=config)
    again = _made(task, zoo, methods=("vae",), vae=config)[1]["vae"]
    weights = made["vae"].weights
    assert weights.shape == (12, 9) and bool(torch.isfinite(weights).all())
    assert torch.equal(weights, again.weights)
    assert len(torch.unique(weights, dim=0)) == 12


def test_a_vae_needs_an_autoencoder_with_a_kl_term():
    with pytest.raises(ValueError, match=r"evaluation\.vae has to hold"):
        EvaluationConfig(methods=("vae",))
    with pytest.raises(ValueError, match=r"set evaluation\.vae\.kl"):
        EvaluationConfig(methods=("vae",), vae=Conv1dAutoencoderConfig())


def test_new_settings_leave_the_digest_of_old_ones_alone():
    dumped = EvaluationConfig().model_dump(mode="json")
    assert {"vae", "trajectories"}.isdisjoint(dumped)
    assert {"ensemble", "vae"}.isdisjoint(dumped["methods"])
    assert set(dumped["audit"]) == {"matched", "behaviour", "sample", "neighbours"}
    wanted = EvaluationConfig(audit=AuditConfig(originals=True, behaviour_sample=9), trajectories=TrajectoryConfig())
    assert EvaluationConfig.model_validate(wanted.model_dump(mode="json")) == wanted


def _overlap(a, b):
    both, either = (a & b).sum(), (a | b).sum()
    return both / either if either else 1.0


def test_originals_are_compared_with_the_others_and_not_with_themselves(task, zoo):
    data, made = _made(task, zoo, methods=("training",), audit=AuditConfig(originals=True, behaviour_sample=100))
    rows = made["training"].rows
    found = Audit(data).of("training", made["training"].weights, rows).distances
    wrong = task.wrong(STRUCTURE, data.train.weights, "test").numpy()
    weights = data.train.weights.numpy().astype(np.float64)
    for k, row in enumerate(rows.tolist()):
        others = [other for other in range(len(wrong)) if other != row]
        similarity = max(_overlap(wrong[row], wrong[other]) for other in others)
        assert found["behaviour_train"][k] == pytest.approx(1 - similarity, abs=1e-12)
        nearest = min(np.sqrt(((weights[row] - weights[other]) ** 2).mean()) for other in others)
        assert found["nearest_train"][k] == pytest.approx(nearest, rel=1e-6)


def test_originals_are_matched_with_the_others(zoo):
    task = AuditedTask(checkpoints=4)
    data, made = _made(task, MemoryZoo(task, ZOO), methods=("training",), audit=AuditConfig(originals=True))
    found = Audit(data).of("training", made["training"].weights, made["training"].rows).distances
    assert (found["matched_train"] > 0).all() and (found["matched_train"] <= found["nearest_train"]).all()


def test_behaviour_has_a_sample_of_its_own(task, zoo):
    config = AuditConfig(sample=2, behaviour_sample=7)
    data, made = _made(task, zoo, methods=("untrained",), audit=config)
    weights = made["untrained"].weights
    audit = Audit(data)
    found = audit.of("untrained", weights).distances["behaviour_train"]
    assert torch.isnan(found).tolist() == [False] * 7 + [True] * 5
    rows = audit._rows
    assert len(rows) == 7
    own, train = (task.wrong(STRUCTURE, w, "test").numpy() for w in (weights, data.train.weights[rows]))
    expected = [1 - max(_overlap(a, b) for b in train) for a in own[:7]]
    np.testing.assert_allclose(found[:7].numpy(), expected, atol=1e-12)


def test_long_rows_are_compared_in_parts(monkeypatch):
    first, second = torch.randn(5, 33), torch.randn(7, 33)
    whole = novelty.weight_distances(first, second)
    expected = [[np.sqrt(((a - b) ** 2).mean()) for b in second.double().numpy()] for a in first.double().numpy()]
    monkeypatch.setattr(distances, "_COLUMNS", 10)
    parts = novelty.weight_distances(first, second)
    np.testing.assert_allclose(whole.numpy(), expected, rtol=1e-9)
    np.testing.assert_allclose(parts.numpy(), expected, rtol=1e-9)


def test_trajectories_end_at_the_generated_networks_and_are_told_by_the_metric(task, zoo):
    config = EvaluationConfig(count=3, methods=("generated",), trajectories=TrajectoryConfig(networks=3, points=3))
    generator = HalvingNoise(task)
    found = evaluate(task, zoo, generator, config)
    assert [(t.structure, t.network, t.metric) for t in found.trajectories] == [
        (STRUCTURE, network, "test.error") for network in range(3)
    ]
    seed = StructureData(Sources(task, config, zoo, generator), STRUCTURE).seed("trajectories")
    for step, weights in generator.trajectory(task.target(STRUCTURE), 3, seed, 3, "cpu"):
        errors = task.wrong(STRUCTURE, weights, "test").double().mean(1)
        for trajectory in found.trajectories:
            value = trajectory.values[trajectory.steps.index(step)]
            assert value == pytest.approx(float(errors[trajectory.network]))
            assert round(value * IMAGES, 6).is_integer()
    assert found.trajectories[0].steps == (0, 2, 4)
    assert Evaluation.from_json(found.to_json()) == found
    wanted = config.model_copy(update={"trajectories": TrajectoryConfig(networks=2, structures=("4",))})
    assert {t.structure for t in evaluate(task, zoo, generator, wanted).trajectories} == {"4"}


def test_networks_on_their_way_may_be_infinite(task, zoo):
    class Exploding(HalvingNoise):
        def trajectory(self, target, count, seed, points, device):
            path = super().trajectory(target, count, seed, points, device)
            path[0][1][:] = math.nan
            path[1][1][1, 0] = math.inf
            return path

    config = EvaluationConfig(count=2, methods=("generated",), trajectories=TrajectoryConfig(networks=2, points=5))
    first, second = evaluate(task, zoo, Exploding(task), config).trajectories
    assert first.values[0] == second.values[0] == second.values[1] == math.inf
    assert all(map(math.isfinite, (*first.values[1:], *second.values[2:])))


def test_what_cannot_be_followed_is_said(task, zoo):
    config = EvaluationConfig(count=2, methods=("generated",), trajectories=TrajectoryConfig())
    found = evaluate(task, zoo, NoisyOptimum(task), config)
    assert found.trajectories == () and "trajectories" not in found.model_dump(mode="json")
    assert any("denoising" in notice for notice in found.notices)
    unknown = config.model_copy(update={"trajectories": TrajectoryConfig(structures=("9",))})
    with pytest.raises(ZoogenError, match=r"evaluation\.trajectories\.structures"):
        evaluate(task, zoo, HalvingNoise(task), unknown)
