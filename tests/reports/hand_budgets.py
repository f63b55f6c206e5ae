"""A hand-made evaluation of many grids with conventional training at fixed budgets."""

from tests.reports.hand_made import evaluation, result

from zoogen.evaluation.equivalence import equivalent_iterations
from zoogen.evaluation.result import Evaluation

BUDGETS = (500, 2_000, 5_000)
WORTH = {True: 1_000, False: 4_000}  # of known and of unseen grids


def quality(iterations: float) -> float:
    """What conventional training reaches: halved by twice the iterations."""
    return 20 / iterations


def many_grids(count: int = 40, known: int = 28) -> Evaluation:
    """Generated, untrained and conventionally trained networks of grids h^n, the first `known` of them in the zoo."""
    results, axes = [], {}
    for index in range(count):
        h, n, taught = index % 10 + 2, index // 10 + 2, index < known
        place = {"structure": f"{h},{n}", "label": f"{h}^{n}", "known": taught}
        axes[f"{h},{n}"] = {"h": float(h), "n": float(n)}
        methods = {"generated": quality(WORTH[taught]), "untrained": 0.4, "nearest": 0.2}
        methods |= {f"conventional-{n}": quality(n) for n in BUDGETS}
        if taught:
            methods["held-out"] = quality(20_000)
        iterations = {f"conventional-{n}": n for n in BUDGETS} | {"held-out": 20_000}
        trained = [(iterations[name], value) for name, value in methods.items() if name in iterations]
        for name, value in methods.items():
            told = {"iterations": iterations.get(name), "equivalent": equivalent_iterations(value, trained)}
            results.append(result(name, (value * 0.9, value, value * 1.1)).model_copy(update={**place, **told}))
    return evaluation(*results, study="many").model_copy(update={"axes": axes})
