import torch

from zoogen.generators.source.sources import Sources
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask

TASK = HypergridTask(HypergridConfig())


def test_sources_are_distributed_as_aligned_initial_networks() -> None:
    sources = Sources.of(TASK, "5^2", 64, amplitude=1.0)
    drawn = sources.tokens.scatter(sources.drawn(torch.randn(500, 64, generator=torch.Generator().manual_seed(0))))
    aligned = TASK.aligned("5^2", list(range(500)))
    layout = TASK.layout("5^2")
    for name, tensor in layout.unflatten(drawn).items():
        expected = layout.unflatten(aligned)[name].std()
        torch.testing.assert_close(tensor.std(), expected, rtol=0.1, atol=0)


def test_equal_numbers_make_the_same_source_in_every_structure() -> None:
    numbers = torch.randn(2, 8)
    drawn = [
        TASK.layout(grid).unflatten(sources.tokens.scatter(sources.drawn(numbers)))
        for grid in ("4^2", "7^3")
        for sources in [Sources.of(TASK, grid, 8, amplitude=2.0)]
    ]
    torch.testing.assert_close(drawn[0]["dense2.weight"], drawn[1]["dense2.weight"])
    torch.testing.assert_close(drawn[0]["dense3.weight"][:, -1], drawn[1]["dense3.weight"][:, -1])


def test_other_arrangements_give_dimensions_other_numbers_and_their_sources() -> None:
    """The increment that carries number i in any arrangement has the source of number i."""
    plain, other = (Sources.of(TASK, grid, 4, 1.0, number) for grid, number in (("2^12", 0), ("2^12", 3)))
    numbers = torch.randn(1, 4)
    increments = [s.drawn(numbers)[0, -13:-1] for s in (plain, other)]
    carried = [s.tokens.features[-13:-1, 5:17].argmax(1) for s in (plain, other)]
    assert carried[0].tolist() == list(range(12)) != carried[1].tolist()
    torch.testing.assert_close(increments[1], increments[0][carried[1]])
