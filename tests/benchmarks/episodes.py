"""Updates of `rl.EpisodeStatistics` beside a loop in NumPy and beside the steps of a small
environment, in CPU time of all threads, in turns."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import eqmetrics as eqm

from ._timing import about, si, table
from .text import compiled, cpu_per_call


STEPS = 128


def loop(rewards: np.ndarray, dones: np.ndarray) -> np.ndarray:
    """Returns and lengths, as a wrapper on the host collects them."""
    total, length, found = np.zeros(rewards.shape[1]), np.zeros(rewards.shape[1]), []
    for reward, done in zip(rewards, dones, strict=True):
        total += reward
        length += 1
        for i in np.flatnonzero(done):
            found.append((total[i], length[i]))
            total[i] = length[i] = 0
    return np.array(found)


def rollout(envs: int) -> Any:
    """A pole on a cart, by the equations of Barto, Sutton and Anderson, and a policy of 64 x 64."""
    rng = np.random.default_rng(0)
    sizes = [(4, 64), (64, 64), (64, 2)]
    layers = [jnp.asarray(rng.normal(size=s) / s[0] ** 0.5, jnp.float32) for s in sizes]

    def step(carry, key):
        x, count = carry
        h = jnp.tanh(jnp.tanh(x @ layers[0]) @ layers[1])
        force = 20.0 * jax.random.categorical(key, h @ layers[2]) - 10
        _, speed, angle, spin = x.T
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        push = (force + 0.05 * spin**2 * sin) / 1.1
        turn = (9.8 * sin - cos * push) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
        x = x + 0.02 * jnp.stack([speed, push - 0.05 * turn * cos / 1.1, spin, turn], axis=1)
        count = count + 1
        done = (jnp.abs(x[:, 0]) > 2.4) | (jnp.abs(x[:, 2]) > 0.2095) | (count >= 500)
        x, count = jnp.where(done[:, None], 0, x), jnp.where(done, 0, count)
        return (x, count), (jnp.ones(envs), done)

    def run(key):
        start = jnp.zeros((envs, 4)), jnp.zeros(envs, jnp.int32)
        return jax.lax.scan(step, start, jax.random.split(key, STEPS))[1]

    return jax.jit(run)


def row(envs: int) -> list[object]:
    rng = np.random.default_rng(0)
    rewards = rng.normal(size=(STEPS, envs)).astype(np.float32)
    dones = rng.random((STEPS, envs)) < 0.02
    metric = eqm.rl.EpisodeStatistics(envs)
    batch = {"rewards": jnp.asarray(rewards), "dones": jnp.asarray(dones)}
    program, seconds = compiled(metric, batch)
    assert program().compute()["episodes"] == len(loop(rewards, dones))
    run, key = rollout(envs), jax.random.key(0)
    took = cpu_per_call(
        {"loop": lambda: loop(rewards, dones) is None, "ours": program, "steps": lambda: run(key)},
        rounds=25,
    )
    share = lambda name: f"{took['ours'] / took[name]:.2f}"
    return [envs, si(took["ours"]), si(took["loop"]), share("loop"), si(took["steps"]),
            share("steps"), f"{seconds:.1f} s"]  # fmt: skip


def main() -> None:
    about("Episodes")
    head = ["environments", "an update", "a loop in NumPy", "", "the steps", "", "compiled in"]
    table(head, [row(envs) for envs in (1024, 4096)])
    print(f"{STEPS} steps, of which 2 % end an episode; the steps are those of a pole on a cart")
    print("with a policy of two layers of 64.\n")


if __name__ == "__main__":
    main()
