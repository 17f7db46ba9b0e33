"""A neural ODE that learns how waves steepen, and at which scales it is wrong.

A small network is the right-hand side of an ODE, solved by diffrax. It learns Burgers'
equation from fields at three times, and is then solved for twice as long, from unseen fields. The
relative error at each time says how far off it is, and the spectral error at which scales; steep
fronts are the smallest scales. The baseline, persistence, keeps the first field.

    python docs/examples/neural_ode.py
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

import eqmetrics as eqm


POINTS, SPAN, SAVED = 64, 0.1, 3
ROWS, BATCH, STEPS, SOLVER_STEPS = 256, 16, 250, 2
BANDS = {"0-4": 0, "5-12": 5, "13-32": 13}  # waves around the circle
Fields = Float[Array, "*rows points"]


def burgers(u: Float[Array, "points"]) -> Float[Array, "points"]:
    """$-u u_x + 0.004 u_{xx}$ on a circle of length 1, by differences of fluxes."""
    flux = (u**2 + jnp.roll(u, -1) ** 2) / 4 - 0.004 * POINTS * (jnp.roll(u, -1) - u)
    return (jnp.roll(flux, 1) - flux) * POINTS


class Network(eqx.Module):
    """The flux between two points, from the four nearest to it."""

    layers: eqx.nn.MLP

    def __init__(self, key: Array):
        self.layers = eqx.nn.MLP(4, "scalar", 32, 2, jnp.tanh, key=key)

    def __call__(self, u: Float[Array, "points"]) -> Float[Array, "points"]:
        near = jnp.stack([jnp.roll(u, shift) for shift in (1, 0, -1, -2)], axis=1)
        flux = jax.vmap(self.layers)(near)
        return (jnp.roll(flux, 1) - flux) * POINTS


def solve(rate: Callable[[Array], Array], start: Array, saved: int, each: int) -> Array:
    """The fields after `SPAN`, `2 * SPAN`, ...: `saved` fields, by `each` solver steps per span."""
    import diffrax

    times = SPAN * (1 + jnp.arange(saved, dtype=jnp.float32))
    return diffrax.diffeqsolve(
        diffrax.ODETerm(lambda t, u, args: rate(u)),
        diffrax.Tsit5(),
        t0=0.0,
        t1=times[-1],
        dt0=SPAN / each,
        y0=start,
        saveat=diffrax.SaveAt(ts=times),
        max_steps=saved * each + 1,
    ).ys


def waves(key: Array) -> Float[Array, "points"]:
    """A random sum of three waves."""
    x = jnp.arange(POINTS) / POINTS
    size, phase = jax.random.normal(key, (2, 3))
    return jnp.sin(2 * jnp.pi * (x[:, None] * jnp.arange(1, 4) + phase)) @ (size / 3)


@eqx.filter_jit
def trajectories(key: Array) -> tuple[Fields, Fields]:
    """Initial fields, and the fields at later times."""
    starts = jax.vmap(waves)(jax.random.split(key, ROWS))
    return starts, jax.vmap(lambda u: solve(burgers, u, 2 * SAVED, 40))(starts)


@eqx.filter_jit
def train(model: Network, starts: Fields, later: Fields, key: Array) -> Network:
    optimizer = optax.adam(optax.cosine_decay_schedule(5e-3, STEPS))
    params, static = eqx.partition(model, eqx.is_array)

    def loss_of(params: Any, some: Array) -> Array:
        rate = eqx.combine(params, static)
        guess = jax.vmap(lambda u: solve(rate, u, SAVED, SOLVER_STEPS))(starts[some])
        return jnp.mean((guess - later[some]) ** 2)

    def step(carry, key):
        params, opt_state = carry
        gradients = jax.grad(loss_of)(params, jax.random.choice(key, ROWS, (BATCH,)))
        updates, opt_state = optimizer.update(gradients, opt_state)
        return (optax.apply_updates(params, updates), opt_state), None

    start = params, optimizer.init(params)
    (params, _), _ = jax.lax.scan(step, start, jax.random.split(key, STEPS))
    return eqx.combine(params, static)


@eqx.filter_jit
def evaluate(model: Network, starts: Fields, later: Fields) -> dict[str, Array]:
    """The errors of each forecast at each time: one metric, mapped over both."""
    metrics = eqm.MetricDict(
        relative=eqm.fields.RelativeError(axes=1),
        bands=eqm.fields.SpectralError(axes=1, edges=list(BANDS.values())),
    )
    of_time = lambda x, y: metrics.update(predictions=x, targets=y).compute()
    guess = jax.vmap(lambda u: solve(model, u, 2 * SAVED, SOLVER_STEPS))(starts)
    forecasts = jnp.stack([guess, jnp.broadcast_to(starts[:, None], later.shape)])
    return jax.vmap(jax.vmap(of_time, in_axes=1), in_axes=(0, None))(forecasts, later)


def main() -> None:
    of_train, of_test, of_model, of_batches = jax.random.split(jax.random.key(0), 4)
    starts, later = trajectories(of_train)
    model = train(Network(of_model), starts, later[:, :SAVED], of_batches)
    told = jax.device_get(evaluate(model, *trajectories(of_test)))
    row = lambda name, values: print(f"{name:<12}" + "".join(f"{x:>9.4f}" for x in values))
    for i, name in enumerate(("neural ODE", "persistence")):
        print(f"{name:<12}" + "".join(f"   t={SPAN * (1 + t):.2f}" for t in range(2 * SAVED)))
        row("relative", told["relative"][i])
        for band, values in zip(BANDS, told["bands"][i].T, strict=True):
            row(f"waves {band}", values)


if __name__ == "__main__":
    main()
