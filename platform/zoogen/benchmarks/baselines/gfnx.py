"""Trajectory balance with gfnx (JAX): one jitted program that trains many policies under `vmap`.

Imports only JAX, optax and gfnx, so that it also runs in an environment that has nothing of zoogen.
"""

from collections.abc import Callable
from typing import Any

PACKAGES = ("gfnx", "jax", "jaxlib", "optax", "numpy")


def build(workload: dict[str, Any]) -> Callable[[int], float]:
    """A function of a number of iterations that trains all models that long and blocks until done."""
    import gfnx
    import jax
    import jax.numpy as jnp
    import optax

    ndim, height, hidden, batch = (workload[key] for key in ("ndim", "height", "hidden", "batch"))
    reward = gfnx.GeneralHypergridRewardModule(R0=0.1, R1=0.5, R2=2.0)
    env = gfnx.HypergridEnvironment(reward, dim=ndim, side=height)
    env_params = env.init(jax.random.PRNGKey(0))
    sizes = [ndim * height, hidden, hidden, ndim + 1]

    def initial(key: Any) -> Any:
        layers = []
        for inputs, outputs, layer_key in zip(sizes[:-1], sizes[1:], jax.random.split(key, 3), strict=True):
            bound = inputs**-0.5
            weight = jax.random.uniform(layer_key, (inputs, outputs), minval=-bound, maxval=bound)
            layers.append((weight, jnp.zeros(outputs)))
        return {"policy": layers, "log_z": jnp.zeros(())}

    def logits(layers: Any, observations: Any) -> Any:
        for weight, bias in layers[:-1]:
            observations = jax.nn.leaky_relu(observations @ weight + bias)
        weight, bias = layers[-1]
        return observations @ weight + bias

    def policy(_key: Any, observations: Any, layers: Any) -> Any:
        forward = logits(layers, observations)
        return forward, {"forward_logits": forward, "backward_logits": jnp.zeros((observations.shape[0], ndim))}

    def loss(params: Any, trajectories: Any) -> Any:
        forward = logits(params["policy"], trajectories.obs)
        trajectories = trajectories.replace(info={**trajectories.info, "forward_logits": forward})
        log_pf, log_pb = gfnx.utils.forward_trajectory_log_probs(env, trajectories, env_params)
        log_reward = jnp.where(trajectories.pad, 0.0, trajectories.log_gfn_reward).sum(axis=1)
        return jnp.mean((params["log_z"] + log_pf - log_pb - log_reward) ** 2)

    optimiser = optax.multi_transform(
        {"policy": optax.adam(workload["lr"]), "log_z": optax.adam(workload["logz_lr"])},
        {"policy": "policy", "log_z": "log_z"},
    )

    def step(state: Any) -> Any:
        params, moments, key = state
        key, rollout_key = jax.random.split(key)
        trajectories, _ = gfnx.utils.forward_rollout(rollout_key, batch, policy, params["policy"], env, env_params)
        gradients = jax.grad(loss)(params, trajectories)
        updates, moments = optimiser.update(gradients, moments, params)
        return optax.apply_updates(params, updates), moments, key

    # Copying the state in and out of each call costs nothing beside the work of one iteration.
    train = jax.jit(lambda state, n: jax.lax.fori_loop(0, n, lambda _, s: jax.vmap(step)(s), state))
    keys = jax.random.split(jax.random.PRNGKey(workload["seed"]), workload["models"])
    params = jax.vmap(initial)(keys)
    holder = [(params, jax.vmap(optimiser.init)(params), keys)]

    def run(iterations: int) -> float:
        holder[0] = jax.block_until_ready(train(holder[0], iterations))
        return float(holder[0][0]["log_z"].mean())

    return run
