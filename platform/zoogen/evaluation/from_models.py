"""Methods that need a trained model: the generator, and the autoencoder on its own."""

import time
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from zoogen.autoencoders.config import AutoencoderConfig
from zoogen.autoencoders.train import train_codec
from zoogen.evaluation import baselines
from zoogen.evaluation.candidates import Candidate, Candidates, calculated, shortage
from zoogen.evaluation.sources import Checkpoints, Codec, Generator, TaughtGenerator
from zoogen.evaluation.structure import StructureData
from zoogen.generators.taught_range import beyond_taught
from zoogen.zoo.read import CheckpointSet


def generated(data: StructureData) -> Iterator[Candidate]:
    if data.sources.generator is not None:
        yield Candidate("generated", partial(_generated, data))


def others(data: StructureData) -> Iterator[Candidate]:
    """The study's further generators, each a method of its own."""
    for name, generator in data.sources.others.items():
        yield Candidate(name, partial(_of_other, data, name, generator))


def reconstructed(data: StructureData) -> Iterator[Candidate]:
    """The very networks of `held-out`, through the autoencoder."""
    if data.held_out is not None and data.sources.codec is not None:
        yield Candidate("reconstructed", partial(_reconstructed, data, data.sources.codec, data.held_out))


def kde(data: StructureData) -> Iterator[Candidate]:
    """Kernel densities of the training latents, decoded: the same latents and the same noise, scaled."""
    if data.train is not None and data.sources.codec is not None:
        for width in data.config.kde:
            make = partial(_kernel_density, data, data.sources.codec, data.train, width)
            yield calculated(f"kde-{width:g}", make)


def latent_average(data: StructureData) -> Iterator[Candidate]:
    """Means of the latents of k training checkpoints, decoded: those that `average` takes the mean of as they are."""
    if data.train is not None and data.sources.codec is not None:
        for k in data.config.average_k:
            if len(data.train.runs) >= k:
                make = partial(_latent_average, data, data.sources.codec, data.train, k)
                yield calculated(f"latent-average-{k}", make)


def prior(data: StructureData) -> Iterator[Candidate]:
    """Standard normal latents, decoded: a variational autoencoder's own ones, or those standardised over the training
    checkpoints."""
    if data.sources.codec is not None:
        make = partial(data.sources.codec.sample_prior, data.target, data.config.count, data.seed("prior"))
        yield calculated("prior", make)


def vae(data: StructureData) -> Iterator[Candidate]:
    """A variational autoencoder of the training checkpoints, its networks decoded from the prior (p-diff, Table 8).

    Its training is part of the seconds that making them takes.
    """
    if data.train is not None and data.config.vae is not None:
        yield calculated("vae", partial(_variational, data, data.config.vae, data.train))


def _variational(data: StructureData, config: AutoencoderConfig, train: Checkpoints) -> Tensor:
    learnt = CheckpointSet(data.target, train.weights, train.runs, train.steps, {})
    codec = train_codec(config, [learnt], seed=data.seed("vae"), device=data.sources.device)
    return codec.sample_prior(data.target, data.config.count, data.seed("vae", "prior"))


def _generated(data: StructureData) -> Candidates:
    made, generator = data.generated, data.sources.generator
    assert made is not None and generator is not None, "the caller asks only where there is a generator"
    return Candidates("generated", made.weights, generating=made.seconds, notices=_beyond(data, generator))


def _of_other(data: StructureData, name: str, generator: Generator) -> Candidates:
    made = data.generated_by(generator)
    return Candidates(name, made.weights, generating=made.seconds, notices=_beyond(data, generator))


def _beyond(data: StructureData, generator: Generator) -> tuple[str, ...]:
    """A notice where the structure lies outside of what was taught."""
    taught = generator.structures if isinstance(generator, TaughtGenerator) else ()
    return tuple(filter(None, [beyond_taught(data.task, data.name, taught)]))


def _reconstructed(data: StructureData, codec: Codec, rows: Checkpoints) -> Candidates:
    chosen = baselines.draw(len(rows.runs), data.config.count, data.seed("held-out"))
    begin = time.perf_counter()
    weights = codec.decode(data.target, codec.encode(data.target, rows.weights[chosen])).detach().cpu()
    seconds = time.perf_counter() - begin
    notices = shortage(data, len(chosen), len(torch.unique(rows.runs)))
    return Candidates("reconstructed", weights, generating=seconds, notices=notices)


def _latent_average(data: StructureData, codec: Codec, train: Checkpoints, k: int) -> Tensor:
    latents = codec.encode(data.target, train.weights).detach().cpu()
    means = baselines.average_of(latents, train.runs, k, data.config.count, data.seed("average", k))
    assert means is not None, "the caller asks only where there are k checkpoints"
    return codec.decode(data.target, means)


def _kernel_density(data: StructureData, codec: Codec, train: Checkpoints, width: float) -> Tensor:
    latents = codec.encode(data.target, train.weights).detach().cpu()
    drawn = baselines.kernel_density(latents, width, data.config.count, data.seed("kde"))
    return codec.decode(data.target, drawn)
