"""Conditional flow matching: its loss in closed form, what it learns, how it is drawn from."""

import pytest
import torch
from tests.clusters import checkpoint_set
from tests.generators.flow.gaussian import FIELD, MEAN, STD, gaussian, slope
from tests.generators.toys import CONDITIONS, clusters, loop, trained

from zoogen.autoencoders.config import LinearAutoencoderConfig
from zoogen.autoencoders.train import train_codec
from zoogen.config import parse_config
from zoogen.errors import ZoogenError
from zoogen.generators.config import DiffusionConfig, SamplerConfig
from zoogen.generators.denoiser_config import ConditionConfig, MlpConfig
from zoogen.generators.diffusion import LatentDiffusion
from zoogen.generators.flow.config import AdaptiveStepsConfig, FixedStepsConfig, FlowConfig
from zoogen.generators.stored import read_generator
from zoogen.generators.train import train_generator
from zoogen.seeds import seeded_generator


@pytest.mark.parametrize("sigma", [0.0, 0.3])
def test_loss_of_the_optimal_velocity_is_what_points_do_not_tell(sigma: float) -> None:
    """Without noise around paths E|x_1 - x_0 - v|² = 1 + s² - slope(t)² Var(x_t), averaged over t."""
    model, generator = gaussian(sigma=sigma), seeded_generator(0)
    latents = MEAN + STD * torch.randn(100_000, 6, generator=generator)
    loss, _ = model.loss(latents, torch.ones(100_000, 2), generator)
    t = torch.linspace(0, 1, 10_001, dtype=torch.float64)
    variance = (1 - t) ** 2 + t**2 * STD**2
    # noise moves the points at which the velocity is asked, and with them what it says
    expected = 1 + STD**2 - slope(t) ** 2 * variance + (slope(t) * sigma) ** 2
    assert loss.item() == pytest.approx(expected.mean().item(), rel=0.01)


@pytest.mark.parametrize("coupling", ["independent", "within-condition"])
def test_two_conditions_two_clusters(coupling: str) -> None:
    means, latents, conditions = clusters(spread=0.5)
    config = FlowConfig(
        coupling=coupling,  # type: ignore[arg-type]
        field=MlpConfig(width=64, hidden=128, blocks=2, embedding=32),
        loop=loop(800, batch_size=128),
    )
    model = trained(config, latents, conditions)
    for condition, mean, other in zip(CONDITIONS, means, means.flip(0), strict=True):
        drawn = model.sample(condition, 300, seeded_generator(1))
        assert ((drawn - mean).norm(dim=1) < (drawn - other).norm(dim=1)).all()
        assert (drawn.mean(0) - mean).square().mean().sqrt() < 0.2
        assert drawn.std(0).mean().item() == pytest.approx(0.5, rel=0.25)


def test_guidance_moves_away_from_what_is_drawn_without_a_condition() -> None:
    means, latents, conditions = clusters()
    config = FlowConfig(field=FIELD, condition=ConditionConfig(drop=0.2), loop=loop(400))
    model = trained(config, latents, conditions)
    plain, guided = (
        model.sample(CONDITIONS[0], 200, seeded_generator(0), FixedStepsConfig(steps=20, guidance=weight))
        for weight in (1.0, 1.5)
    )
    away = means[0] - means[1]
    assert ((guided - plain) @ away).mean() > 0


def test_watchers_see_the_noise_every_step_and_what_is_returned() -> None:
    seen: dict[int, torch.Tensor] = {}
    model = gaussian()
    solver = FixedStepsConfig(steps=7)
    drawn = model.sample(
        torch.ones(2), 5, seeded_generator(3), solver, lambda done, points: seen.update({done: points})
    )
    assert list(seen) == list(range(8)) and model.steps(solver) == 7
    assert torch.equal(seen[0], torch.randn(5, 6, generator=seeded_generator(3)))
    assert torch.equal(seen[7], drawn)


def test_a_weight_generator_of_a_flow_keeps_its_bits_as_a_file() -> None:
    train = [checkpoint_set(5), checkpoint_set(8)]
    codec = train_codec(LinearAutoencoderConfig(latent=6), train, seed=0)
    made = train_generator(FlowConfig(field=FIELD, loop=loop(30)), codec, train, seed=0, digest="abc")
    again = read_generator(made.to_bytes())
    target = train[0].target
    assert again.config == made.config and again.digest == "abc"
    assert torch.equal(again.generate(target, 4, seed=1), made.generate(target, 4, seed=1))
    assert not torch.equal(made.generate(target, 4, seed=1), made.generate(target, 4, seed=2))
    way = made.trajectory(target, 4, seed=1, points=3)
    assert [done for done, _ in way] == [0, 50, 100]
    assert torch.equal(way[-1][1], made.generate(target, 4, seed=1))


def test_samplers_of_another_kind_are_refused_in_one_line() -> None:
    with pytest.raises(ZoogenError, match="a flow is not sampled by ddim; set sampler.kind to euler"):
        gaussian().sample(torch.ones(2), 2, seeded_generator(0), SamplerConfig())
    diffusion = LatentDiffusion(DiffusionConfig(denoiser=FIELD), 6, 2)
    with pytest.raises(ZoogenError, match="a diffusion is not sampled by euler; set sampler.kind to ddim"):
        diffusion.sample(torch.ones(2), 2, seeded_generator(0), FixedStepsConfig())


def test_what_cannot_be_is_one_line() -> None:
    with pytest.raises(ZoogenError, match="the condition has 3 numbers, the generator takes 2"):
        gaussian().sample(torch.ones(3), 2, seeded_generator(0))
    with pytest.raises(ZoogenError, match="trained without condition.drop"):
        gaussian().sample(torch.ones(2), 2, seeded_generator(0), AdaptiveStepsConfig(guidance=2))
    for wrong, message in [
        ({"sampler": {"kind": "dopri5", "steps": 5}}, "steps"),
        ({"sampler": {"kind": "heun"}}, "heun"),
        ({"sampler": {"guidance": 2, "kind": "euler"}}, "needs condition.drop above 0"),
        ({"coupling": "batch"}, "within-condition"),
    ]:
        with pytest.raises(ZoogenError, match=message):
            parse_config(FlowConfig, wrong, "a.yaml")
