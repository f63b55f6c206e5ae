"""Denoisers of every kind: shapes, a plain loop, memory, known distributions."""

import pytest
import torch
from tests.generators.toys import CONDITIONS, SMALL, clusters, loop, trained
from torch import Tensor, nn
from torch.nn import functional

from zoogen.errors import ZoogenError
from zoogen.generators.config import DiffusionConfig, SamplerConfig
from zoogen.generators.denoiser_config import ConditionConfig, PDiffConfig, TokensConfig
from zoogen.generators.denoisers.build import build_denoiser
from zoogen.generators.denoisers.pdiff import PDiffDenoiser
from zoogen.generators.diffusion import LatentDiffusion
from zoogen.seeds import seeded

FAST = SamplerConfig(steps=25)


def randomised(module: nn.Module) -> nn.Module:
    """The module with all parameters drawn anew: layers that begin at zero would hide what goes before them."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    return module


@pytest.mark.parametrize("kind", SMALL)
def test_one_time_and_structure_serve_a_batch_and_both_matter(kind: str) -> None:
    latent = 8 if kind == "unet" else 13  # the U-Net alone has strides that must divide the latent
    denoiser = randomised(build_denoiser(SMALL[kind], latent))
    noisy, structure, time = torch.randn(5, latent), torch.randn(1, 16), torch.tensor([7])
    together = denoiser(noisy, time, structure)
    assert together.shape == noisy.shape
    torch.testing.assert_close(together, denoiser(noisy, time.expand(5), structure.expand(5, 16)))
    torch.testing.assert_close(together[2:3], denoiser(noisy[2:3], time, structure))
    assert (together - denoiser(noisy, time + 300, structure)).abs().max() > 1e-3
    assert (together - denoiser(noisy, time, structure + 1)).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["unet", "mlp", "tokens"])
def test_all_numbers_of_a_latent_are_seen_together(kind: str) -> None:
    denoiser = randomised(build_denoiser(SMALL[kind], 8)).double()
    latent = torch.randn(8, dtype=torch.float64)

    def at(row: Tensor) -> Tensor:
        return denoiser(row[None], torch.tensor([5]), torch.zeros(1, 16, dtype=torch.float64))[0]

    assert (torch.autograd.functional.jacobian(at, latent) != 0).all()


def test_pdiff_is_eight_convolutions_with_additive_skips() -> None:
    convolutions = [m for m in PDiffDenoiser(128, PDiffConfig()).modules() if isinstance(m, nn.Conv1d)]
    channels = [(c.in_channels, c.out_channels) for c in convolutions]
    assert channels == [(1, 64), (64, 128), (128, 256), (256, 512), (512, 256), (256, 128), (128, 64), (64, 1)]
    assert {(c.kernel_size, c.stride, c.padding) for c in convolutions} == {((7,), (1,), (3,))}
    # METHODS section 2 counts 617 GFLOP per network in 1000 steps: two per weight and position
    assert 2 * 128 * 1000 * sum(c.weight.numel() for c in convolutions) == pytest.approx(617e9, rel=0.01)


def test_a_position_of_pdiff_sees_24_to_either_side() -> None:
    """Eight kernels of 7: an output depends on 2 * 8 * 3 + 1 = 49 inputs, whatever the latent's length."""
    denoiser = PDiffDenoiser(64, PDiffConfig(channels=(4, 4, 4, 4)))
    latent = torch.randn(1, 64, requires_grad=True)
    denoiser(latent, torch.tensor([5]), torch.zeros(1, 64))[0, 30].backward()
    assert latent.grad is not None
    assert latent.grad[0].nonzero().flatten().tolist() == list(range(6, 55))


def test_pdiff_against_a_plain_computation() -> None:
    denoiser = PDiffDenoiser(10, PDiffConfig(channels=(3, 4, 5), kernel=3, embedding=8))
    noisy, time, structure = torch.randn(2, 10), torch.tensor([3, 500]), torch.randn(2, 8)
    added = denoiser.embed(denoiser.time(time) + structure)[:, None]
    weights = [(m.weight, m.bias) for m in denoiser.modules() if isinstance(m, nn.Conv1d)]

    def layer(index: int, features: Tensor) -> Tensor:
        return functional.conv1d(features + added, *weights[index], padding=1)

    first = functional.elu(layer(0, noisy[:, None]))
    second = functional.elu(layer(1, first))
    third = functional.elu(layer(2, second))
    fourth = functional.elu(layer(3, third)) + second
    fifth = functional.elu(layer(4, fourth)) + first
    torch.testing.assert_close(denoiser(noisy, time, structure), layer(5, fifth)[:, 0])


def parameters_of(config: TokensConfig, latent: int) -> int:
    return sum(parameter.numel() for parameter in build_denoiser(config, latent).parameters())


def saved_bytes(config: TokensConfig, latent: int) -> int:
    """What a forward pass on two latents keeps for the backward pass, parameters left out."""
    denoiser = build_denoiser(config, latent)
    own = {parameter.data_ptr() for parameter in denoiser.parameters()}
    sizes: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in own:
            sizes[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        denoiser(torch.randn(2, latent), torch.tensor([5, 6]), torch.zeros(2, config.embedding))
    return sum(sizes.values())


def test_tokens_grow_linearly_and_share_their_weights() -> None:
    config = TokensConfig(token=16, width=32, summary=64, blocks=2, embedding=16)
    assert parameters_of(config, 16_000) - parameters_of(config, 1600) == 900 * config.width
    assert parameters_of(config, 1601) - parameters_of(config, 1600) == config.width  # a last token, padded
    one, two, four = (saved_bytes(config, latent) for latent in (8000, 16_000, 32_000))
    assert four - two == pytest.approx(2 * (two - one), rel=0.02)
    assert four == pytest.approx(4 * one, rel=0.1)


def test_recomputed_features_give_the_same_gradient_from_less_memory() -> None:
    kept = TokensConfig(token=4, width=16, summary=32, blocks=3, embedding=16)
    again = kept.model_copy(update={"recompute": True})
    gradients = []
    for config in (kept, again):
        denoiser = randomised(build_denoiser(config, 50))
        denoiser(torch.ones(2, 50), torch.tensor([5, 6]), torch.zeros(2, 16)).square().sum().backward()
        gradients.append([parameter.grad for parameter in denoiser.parameters()])
    torch.testing.assert_close(*gradients)
    assert saved_bytes(again, 4000) < 0.5 * saved_bytes(kept, 4000)


@pytest.mark.parametrize("kind", ["mlp", "pdiff", "tokens"])
def test_each_condition_has_its_cluster(kind: str) -> None:
    means, latents, conditions = clusters()
    denoiser = SMALL[kind]
    model = trained(DiffusionConfig(denoiser=denoiser, loop=loop(400)), latents, conditions)
    for condition, mean, other in zip(CONDITIONS, means, means.flip(0), strict=True):
        drawn = model.sample(condition, 200, torch.Generator().manual_seed(1), FAST)
        assert ((drawn - mean).norm(dim=1) < (drawn - other).norm(dim=1)).all()
        assert (drawn.mean(0) - mean).square().mean().sqrt() < 0.25
        again = model.sample(condition, 200, torch.Generator().manual_seed(1), FAST)
        assert torch.equal(drawn, again)


@pytest.mark.parametrize("prediction", ["sample", "v_prediction"])
def test_perceptron_learns_a_correlated_gaussian(prediction: str) -> None:
    generator = torch.Generator().manual_seed(0)
    mix = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.8, 0.6, 0.0, 0.0], [0.0, 0.0, 0.5, 0.0], [0.0, 0.0, 0.0, 1.0]])
    mean = torch.tensor([1.0, 0.0, -1.0, 0.5])
    latents = mean + torch.randn(4000, 4, generator=generator) @ mix.T
    config = DiffusionConfig(denoiser=SMALL["mlp"], prediction=prediction, loop=loop(1200, 3e-3, 128))
    model = trained(config, latents, torch.ones(4000, 1))
    drawn = model.sample(torch.ones(1), 4000, torch.Generator().manual_seed(1))
    torch.testing.assert_close(drawn.mean(0), mean, atol=0.15, rtol=0)
    torch.testing.assert_close(drawn.std(0), latents.std(0), atol=0.05, rtol=0.12)
    assert torch.corrcoef(drawn.T)[0, 1].item() == pytest.approx(0.8, abs=0.08)


def test_few_latents_with_dimensions_that_never_vary() -> None:
    """Ten latents, half of whose dimensions are padding: samples stay near them, the padding near zero."""
    latents = torch.randn(10, 16, generator=torch.Generator().manual_seed(0))
    latents[:, 8:] = 0
    model = trained(DiffusionConfig(denoiser=SMALL["mlp"], loop=loop(600)), latents, torch.ones(10, 1))
    drawn = model.sample(torch.ones(1), 100, torch.Generator().manual_seed(1))
    assert drawn.isfinite().all()
    assert drawn[:, 8:].abs().max() < 0.3
    assert drawn[:, :8].abs().max() < 1.5 * latents.abs().max()


def test_hidden_conditions_and_guidance() -> None:
    """Without the condition both clusters are drawn; guidance is linear in the two predictions."""
    means, latents, conditions = clusters()
    config = DiffusionConfig(denoiser=SMALL["mlp"], condition=ConditionConfig(drop=0.3), loop=loop(500))
    model = trained(config, latents, conditions)
    assert isinstance(model, LatentDiffusion)
    counts = []
    for guidance in (0.0, 1.0, 2.0):
        sampler = SamplerConfig(steps=25, guidance=guidance)
        drawn = model.sample(CONDITIONS[0], 200, torch.Generator().manual_seed(1), sampler)
        counts.append(int((torch.cdist(drawn, means).argmin(1) == 0).sum()))
    assert 50 < counts[0] < 150
    assert counts[1:] == [200, 200]
    noisy, time, asked = torch.randn(6, 16), torch.tensor([300]), CONDITIONS[:1]
    nothing, known, twice = (model.guided(noisy, time, asked, weight) for weight in (0.0, 1.0, 2.0))
    torch.testing.assert_close(twice, 2 * known - nothing)
    torch.testing.assert_close(nothing, model.guided(noisy, time, CONDITIONS[1:], 0.0))


def test_guidance_needs_hidden_conditions() -> None:
    with pytest.raises(ValueError, match="guidance 2 needs condition.drop above 0"):
        DiffusionConfig(sampler=SamplerConfig(guidance=2))
    model = LatentDiffusion(DiffusionConfig(denoiser=SMALL["mlp"]), latent=8, condition=2)
    with pytest.raises(ZoogenError, match=r"set sampler.guidance to 1"):
        model.sample(torch.ones(2), 1, torch.Generator(), SamplerConfig(guidance=2))


@pytest.mark.parametrize(("timesteps", "beta_end"), [(10, 0.9), (100, 0.2), (2000, 0.02)])
def test_other_numbers_of_timesteps(timesteps: int, beta_end: float) -> None:
    """p-diff's Table 9: training and sampling by as many steps."""
    sampler = SamplerConfig(kind="ddpm", steps=timesteps)
    config = DiffusionConfig(timesteps=timesteps, beta_end=beta_end, sampler=sampler, denoiser=SMALL["mlp"])
    with seeded(0):
        model = LatentDiffusion(config, 8, 1)
    loss, _ = model.loss(torch.randn(64, 8), torch.ones(64, 1), torch.Generator().manual_seed(0))
    seen: list[int] = []
    drawn = model.sample(torch.ones(1), 2, torch.Generator(), watch=lambda done, _: seen.append(done))
    assert loss.isfinite() and drawn.isfinite().all()
    assert seen == list(range(timesteps + 1)) and model.steps() == timesteps


def test_old_kind_is_left_out_of_dumps_and_read_back() -> None:
    dumped = {kind: DiffusionConfig(denoiser=denoiser).model_dump(mode="json") for kind, denoiser in SMALL.items()}
    assert {kind: dump["denoiser"].get("kind") for kind, dump in dumped.items()} == {
        "unet": None,
        "mlp": "mlp",
        "pdiff": "pdiff",
        "tokens": "tokens",
    }
    for kind, dump in dumped.items():
        assert DiffusionConfig.model_validate(dump).denoiser == SMALL[kind]
        assert "guidance" not in dump["sampler"] and "drop" not in dump["condition"]
