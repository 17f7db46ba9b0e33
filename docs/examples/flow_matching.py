"""A flow that learns to generate two moons, and how close its samples are to real ones.

A network learns the velocity that carries noise along straight lines to data (flow matching), in
one `scan`. The flow is integrated in 1, 4 or 32 steps, and the samples are compared with unseen
moons. Two other sets of samples are scored too: a Gaussian with the mean and the covariance of the
moons, which looks perfect to a Fréchet distance, and new real moons, the best possible samples.

    python docs/examples/flow_matching.py
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from sklearn.datasets import make_moons

import eqmetrics as eqm


ROWS, BATCH, STEPS = 1000, 256, 3000
Points = Float[Array, "rows 2"]


class Velocity(eqx.Module):
    """The velocity of a point, at a time from 0 (noise) to 1 (data)."""

    layers: eqx.nn.MLP

    def __init__(self, key: Array):
        self.layers = eqx.nn.MLP(3, 2, 64, 3, jax.nn.silu, key=key)

    def __call__(self, x: Float[Array, "2"], time: Float[Array, ""]) -> Float[Array, "2"]:
        return self.layers(jnp.append(x, time))


def loss_of(model: Velocity, data: Points, key: Array) -> Float[Array, ""]:
    """On the straight line from a point of noise to one of the data, the velocity is their
    difference."""
    of_noise, of_time = jax.random.split(key)
    noise = jax.random.normal(of_noise, data.shape)
    time = jax.random.uniform(of_time, data.shape[:1])
    between = noise + time[:, None] * (data - noise)
    return jnp.mean((jax.vmap(model)(between, time) - (data - noise)) ** 2)


@eqx.filter_jit
def train(model: Velocity, data: Points, key: Array) -> Velocity:
    optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, STEPS))
    params, static = eqx.partition(model, eqx.is_array)

    def step(carry, key):
        params, opt_state = carry
        of_batch, of_loss = jax.random.split(key)
        batch = data[jax.random.choice(of_batch, len(data), (BATCH,))]
        loss = lambda p: loss_of(eqx.combine(p, static), batch, of_loss)
        updates, opt_state = optimizer.update(jax.grad(loss)(params), opt_state)
        return (optax.apply_updates(params, updates), opt_state), None

    start = params, optimizer.init(params)
    (params, _), _ = jax.lax.scan(step, start, jax.random.split(key, STEPS))
    return eqx.combine(params, static)


@eqx.filter_jit
def sample(model: Velocity, noise: Points, steps: int) -> Points:
    """Integrates the flow by Euler's method."""

    def step(x, time):
        return x + jax.vmap(model, in_axes=(0, None))(x, time) / steps, None

    return jax.lax.scan(step, noise, jnp.arange(steps) / steps)[0]


def moons(seed: int) -> np.ndarray:
    points, _ = make_moons(ROWS, noise=0.06, random_state=seed)
    return points.astype(np.float32)


def main() -> None:
    *keys, of_gaussian = jax.random.split(jax.random.key(0), 4)
    seen, unseen = jnp.asarray(moons(0)), jnp.asarray(moons(1))
    model = train(Velocity(keys[0]), seen, keys[1])
    noise = jax.random.normal(keys[2], (ROWS, 2))
    mean, covariance = jnp.mean(seen, 0), jnp.cov(seen.T)
    drawn: dict[str, Callable[[], Points]] = {
        "noise": lambda: noise,
        "gaussian": lambda: jax.random.multivariate_normal(of_gaussian, mean, covariance, (ROWS,)),
        **{f"flow, {n:>2} steps": lambda n=n: sample(model, noise, n) for n in (1, 4, 32)},
        "real moons": lambda: jnp.asarray(moons(2)),
    }

    metrics = eqm.MetricDict(
        frechet=eqm.generative.FrechetDistance(2),
        mmd=eqm.generative.MaximumMeanDiscrepancy(2, capacity=ROWS, sigma=0.2),
        precision=eqm.generative.GenerativePrecision(2, capacity=ROWS),
        coverage=eqm.generative.Coverage(2, capacity=ROWS),
    )
    # The real side is seen once. Each set of samples then updates this metric.
    metrics = metrics.update(real_features=unseen)
    score = jax.jit(lambda metrics, x: metrics.update(generated_features=x).compute())
    print(" " * 15 + "".join(f"{name:>10}" for name in metrics))
    for name, draw in drawn.items():
        values = jax.device_get(score(metrics, draw()))
        print(f"{name:<15}" + "".join(f"{values[n]:>10.4f}" for n in metrics))


if __name__ == "__main__":
    main()
