"""Training through torch.compile: the same training, and the same names in what it leaves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.clusters import checkpoint_set
from torch import distributed, nn

from zoogen.autoencoders.config import Conv1dAutoencoderConfig
from zoogen.autoencoders.train import train_codec
from zoogen.generators.config import DiffusionConfig
from zoogen.generators.denoiser_config import UNetConfig
from zoogen.generators.train import train_generator
from zoogen.training.config import EmaConfig, LoopConfig
from zoogen.training.hooks import LocalHooks
from zoogen.training.loop import fit
from zoogen.training.state import TrainingState

from .test_loop import BASE, Regression, sample_batch

EAGER = "eager"  # captures graphs and runs them as they are: equal to the last bit
TRAIN = [checkpoint_set(5), checkpoint_set(8)]
LOOP = LoopConfig(iterations=8, batch_size=8, log_every=2, ema=EmaConfig(decay=0.9))
AUTOENCODER = Conv1dAutoencoderConfig(latent=8, channels=(4, 8), kernel=3, stride=2, loop=LOOP)
GENERATOR = DiffusionConfig(denoiser=UNetConfig(channels=(2, 4), middle=16, embedding=8), loop=LOOP)


@pytest.fixture(autouse=True)
def _forget_graphs() -> Iterator[None]:
    yield
    torch.compiler.reset()


class Hooks(LocalHooks):
    """Keeps training states."""

    def __init__(self, initial_state: bytes | None = None) -> None:
        self.states: list[bytes] = []
        super().__init__(checkpoint=lambda state, step, figures: self.states.append(state), initial_state=initial_state)


class DistributedHooks(Hooks):
    def wrap(self, module: nn.Module) -> nn.Module:
        return nn.parallel.DistributedDataParallel(module)


def test_losses_parameters_and_names_are_those_of_the_plain_training(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    compile = torch.compile

    def watched(model: nn.Module, *, backend: str) -> nn.Module:
        called.append(backend)
        return compile(model, backend=backend)

    monkeypatch.setattr(torch, "compile", watched)
    plain, compiled = Regression(), Regression()
    first, second = Hooks(), Hooks()
    history = fit(plain, sample_batch, BASE, seed=0, hooks=first).history
    assert not called
    assert fit(compiled, sample_batch, BASE, seed=0, hooks=second, compile=EAGER).history == history
    assert called == [EAGER]
    assert list(plain.state_dict()) == list(compiled.state_dict()) == ["linear.weight", "linear.bias"]
    assert torch.equal(plain.linear.weight, compiled.linear.weight)  # the averaged ones
    assert first.states == second.states

    # A plain training goes on from a compiled one's state.
    resumed = Regression()
    assert fit(resumed, sample_batch, BASE, seed=0, hooks=LocalHooks(initial_state=second.states[0])).history == history
    assert torch.equal(resumed.linear.weight, plain.linear.weight)


def test_inductor_is_the_backend_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def record(model: nn.Module, *, backend: str) -> nn.Module:
        asked.append(backend)
        return model

    monkeypatch.setattr(torch, "compile", record)
    fit(Regression(), sample_batch, BASE, seed=0, compile=True)
    assert asked == ["inductor"]


def test_it_goes_around_data_parallel_training(tmp_path: Path) -> None:
    plain = Regression()
    history = fit(plain, sample_batch, BASE, seed=0).history
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    try:
        compiled, hooks = Regression(), DistributedHooks()
        assert fit(compiled, sample_batch, BASE, seed=0, hooks=hooks, compile=EAGER).history == history
    finally:
        distributed.destroy_process_group()
    assert torch.equal(plain.linear.weight, compiled.linear.weight)
    assert set(TrainingState.from_bytes(hooks.states[-1]).model) == {"linear.weight", "linear.bias"}


def test_autoencoder_and_generator_are_the_same_through_it() -> None:
    plain, compiled = (train_codec(AUTOENCODER, TRAIN, seed=0, compile=way) for way in (False, EAGER))
    assert compiled.history == plain.history
    assert set(compiled.autoencoder.state_dict()) == set(plain.autoencoder.state_dict())
    made = [train_generator(GENERATOR, plain, TRAIN, seed=0, compile=way) for way in (False, EAGER)]
    assert made[0].history == made[1].history
    samples = [generator.generate(TRAIN[0].target, 2, seed=0) for generator in made]
    assert torch.equal(*samples)
