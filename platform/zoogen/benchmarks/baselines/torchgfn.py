"""Trajectory balance with torchgfn: one policy at a time, as its tutorials train it (`models` is taken as 1)."""

from collections.abc import Callable
from typing import Any

PACKAGES = ("torchgfn", "torch", "numpy")


def build(workload: dict[str, Any]) -> Callable[[int], float]:
    """A function of a number of iterations that trains one policy that long and returns its log Z."""
    import torch
    from gfn.estimators import DiscretePolicyEstimator
    from gfn.gflownet import TBGFlowNet
    from gfn.gym import HyperGrid
    from gfn.preprocessors import KHotPreprocessor
    from gfn.utils.modules import MLP

    torch.set_num_threads(1)
    torch.manual_seed(workload["seed"])
    env = HyperGrid(ndim=workload["ndim"], height=workload["height"], validate_modes=False)
    preprocessor = KHotPreprocessor(height=env.height, ndim=env.ndim)
    module = MLP(
        input_dim=preprocessor.output_dim,
        output_dim=env.n_actions,
        hidden_dim=workload["hidden"],
        n_hidden_layers=2,
        activation_fn="leaky_relu",
    )
    forward = DiscretePolicyEstimator(module, env.n_actions, preprocessor=preprocessor)
    backward = DiscretePolicyEstimator.uniform(env.n_actions, preprocessor=preprocessor)
    gflownet = TBGFlowNet(pf=forward, pb=backward, init_logZ=0.0)
    optimiser = torch.optim.Adam(gflownet.pf_pb_parameters(), lr=workload["lr"])
    optimiser.add_param_group({"params": gflownet.logz_parameters(), "lr": workload["logz_lr"]})

    def run(iterations: int) -> float:
        for _ in range(iterations):
            # Sampling without a graph and one forward pass over all states is faster here than
            # keeping the log-probabilities (and the graph) of every step.
            with torch.no_grad():
                trajectories = gflownet.sample_trajectories(env, n=workload["batch"])
            optimiser.zero_grad()
            loss = gflownet.loss(env, trajectories, recalculate_all_logprobs=True)
            loss.backward()
            optimiser.step()
        return float(gflownet.logZ.detach())

    return run
