"""`eqm.rl.EpisodeStatistics` beside a loop in Python, however the stream is cut."""

import functools as ft

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import eqmetrics as eqm

from ..oracle import at_once, seeds


STEPS, ENVS, STREAMS = 12, 2, 125


def loop(rewards, dones, mask, discount, reset_step) -> dict:
    """One environment after the other, as a reader would write it, in float64."""
    returns, lengths, flying = [], [], 0
    for env in range(rewards.shape[1]):
        total, length, done = 0.0, 0, False
        for r, d, m in zip(rewards[:, env], dones[:, env], mask[:, env], strict=True):
            if not m:
                continue
            if reset_step and done and not d:
                done = False
                continue
            total, length, done = total + discount**length * float(r), length + 1, d
            if d:
                returns.append(total)
                lengths.append(length)
                total, length = 0.0, 0
        flying += length > 0

    def spread(x):
        if not x:
            return dict.fromkeys(("mean", "std", "min", "max"), np.nan)
        return {"mean": np.mean(x), "std": np.std(x), "min": np.min(x), "max": np.max(x)}

    own = {"return": spread(returns), "length": spread(lengths)}
    return own | {"episodes": len(returns), "in_flight": flying}


def streams(seed: int, reset_step: bool) -> dict:
    rng = np.random.default_rng(seed)
    shape = STREAMS, STEPS, ENVS
    dones = rng.random(shape) < rng.choice([0.0, 0.1, 0.3, 0.6], (STREAMS, 1, 1))
    if reset_step:
        for t in range(1, STEPS):  # a step that resets ends nothing
            dones[:, t] &= ~dones[:, t - 1]
    mask = rng.random(shape) < rng.choice([0.5, 1.0], (STREAMS, 1, 1))
    rewards = np.where(mask, rng.integers(-8, 9, shape) / 4, np.nan).astype(np.float32)
    return {"rewards": rewards, "dones": dones, "mask": mask}


def both(x, y):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), x, y)


@jax.jit
def cut(metric, streams, bounds):
    """The values of streams in parts, each step in one: of updates in turn, and of parts that are
    merged from the left and from the right."""

    def one(stream, bounds):
        place = jnp.arange(STEPS, dtype=jnp.int32)[:, None]

        def part(m, ends):
            inside = stream["mask"] & (place >= ends[0]) & (place < ends[1])
            two = jax.vmap(lambda m: m.update(**(stream | {"mask": inside})))(both(m, metric))
            return jax.tree.map(lambda x: x[0], two), jax.tree.map(lambda x: x[1], two)

        ends = jnp.stack([bounds[:-1], bounds[1:]], axis=1)
        in_turn, parts = jax.lax.scan(part, metric, ends)

        def join(state, parts):
            (left, right), (first, last) = state, parts
            new = jax.vmap(lambda x, y: x.merge(y))(both(left, last), both(first, right))
            return tuple(jax.tree.map(lambda x, i=i: x[i], new) for i in (0, 1)), None

        back = jax.tree.map(lambda x: x[::-1], parts)
        (left, right), _ = jax.lax.scan(join, (metric, metric), (parts, back))
        states = jax.tree.map(lambda *x: jnp.stack(x), in_turn, left, right)
        return jax.vmap(lambda m: m.compute())(states)

    return jax.vmap(one)(streams, bounds)


@pytest.mark.parametrize("autoreset, discount", [("same_step", 1.0), ("next_step", 0.75)])
@at_once
@given(seed=seeds)
def test_every_cut_is_the_loop(autoreset, discount, seed):
    rng = np.random.default_rng(seed)
    given = streams(seed, autoreset == "next_step")
    sizes = rng.multinomial(STEPS, [0.2] * 5, STREAMS)
    bounds = np.cumsum(np.pad(sizes, [(0, 0), (1, 0)]), axis=1).astype(np.int32)
    metric = eqm.rl.EpisodeStatistics(ENVS, discount=discount, autoreset=autoreset)
    got = jax.device_get(cut(metric, given, bounds))
    for i in range(STREAMS):
        one = {k: v[i] for k, v in given.items()}
        want = loop(**one, discount=discount, reset_step=autoreset == "next_step")

        def close(x, y, i=i):
            np.testing.assert_allclose(x[i], [y] * 3, rtol=1e-5, atol=2e-6)

        jax.tree.map(close, got, want)


@pytest.mark.parametrize("autoreset", ["next_step"])
def test_every_number_of_steps_in_an_update(autoreset):
    given = {k: v[:1] for k, v in streams(3, autoreset == "next_step").items()}
    one = {k: v[0] for k, v in given.items()}
    metric = eqm.rl.EpisodeStatistics(ENVS, autoreset=autoreset)
    want = loop(**one, discount=1.0, reset_step=autoreset == "next_step")
    scanned = jax.lax.scan(lambda m, x: (m.update(**x), None), metric, one)[0]
    values = [scanned.compute()]
    for size in (1, 12):
        parts = [{k: v[i : i + size] for k, v in one.items()} for i in range(0, STEPS, size)]
        values.append(ft.reduce(lambda m, x: m.update(**x), parts, metric).compute())
    for value in values:
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5), value, want)


def test_by_hand():
    episodes = eqm.rl.EpisodeStatistics(1)
    episodes = episodes.update(
        rewards=jnp.array([[1.0], [2.0], [3.0]]), dones=jnp.array([[False], [True], [False]])
    )
    value = episodes.compute()
    assert value["return"]["mean"] == 3 and value["length"]["mean"] == 2
    assert value["episodes"] == 1 and value["in_flight"] == 1
    value = episodes.update(rewards=jnp.array([4.0]), dones=jnp.array([True])).compute()
    assert value["return"] == {"mean": 5.0, "std": 2.0, "min": 3.0, "max": 7.0}
    assert value["length"]["min"] == value["length"]["max"] == 2 and value["in_flight"] == 0


def test_a_truncated_episode_has_ended():
    no = jnp.zeros((2, 1), bool)
    given = {"rewards": jnp.ones((2, 1)), "dones": no}
    assert eqm.rl.EpisodeStatistics(1)(**given)["episodes"] == 0
    assert eqm.rl.EpisodeStatistics(1)(**given, truncated=no.at[1].set(True))["episodes"] == 1


def test_no_episode_is_undefined_and_not_0():
    value = eqm.rl.EpisodeStatistics(2).compute()
    assert np.isnan(value["return"]["mean"]) and value["episodes"] == 0
    assert eqm.rl.EpisodeStatistics(2, undefined=0.0).compute()["length"]["max"] == 0


def test_a_step_that_resets_is_no_step_of_an_episode():
    rewards = jnp.array([[1.0], [9.0], [1.0], [1.0]])
    dones = jnp.array([[True], [False], [False], [True]])
    same = eqm.rl.EpisodeStatistics(1)(rewards=rewards, dones=dones)
    after = eqm.rl.EpisodeStatistics(1, autoreset="next_step")(rewards=rewards, dones=dones)
    assert same["return"]["max"] == 11 and same["length"]["max"] == 3
    assert after["return"]["max"] == 2 and after["length"]["max"] == 2


@pytest.mark.parametrize("autoreset", ["next_step"])
def test_devices_have_environments_of_their_own(autoreset):
    given = streams(7, autoreset == "next_step")
    metric = eqm.rl.EpisodeStatistics(ENVS, autoreset=autoreset)
    several = jax.jit(jax.vmap(lambda x: metric.update(**x)))
    of_devices = several({k: v[:8] for k, v in given.items()})
    side = lambda x: np.moveaxis(x[:8], 0, 1).reshape(STEPS, -1)
    want = loop(
        **{k: side(v) for k, v in given.items()},
        discount=1.0, reset_step=autoreset == "next_step",
    )  # fmt: skip
    whole = of_devices.reduce()
    close = lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)
    jax.tree.map(close, whole.compute(), want)
    assert want["in_flight"] > 0
    # What was reduced is joined with other parts as a sum: it has no beginning.
    more = {k: v[8] for k, v in given.items()}
    own = loop(**more, discount=1.0, reset_step=autoreset == "next_step")
    for value in (whole.merge(metric.update(**more)), metric.update(**more).merge(whole)):
        assert value.compute()["episodes"] == want["episodes"] + own["episodes"]
    both = whole.update(**more).merge(metric.update(**more))
    assert both.compute()["episodes"] >= want["episodes"] + 2 * own["episodes"]


@pytest.mark.parametrize("autoreset", ["same_step", "next_step"])
def test_what_is_forgotten_is_not_counted_again(autoreset):
    given = {k: v[:8] for k, v in streams(5, autoreset == "next_step").items()}
    metric, ended = eqm.rl.EpisodeStatistics(ENVS, autoreset=autoreset), 0
    for i in range(8):
        one = {k: v[i] for k, v in given.items()}
        metric = metric.update(**{k: v[:5] for k, v in one.items()})
        first = metric.compute()["episodes"]
        metric = metric.forget()
        assert metric.compute()["episodes"] == 0
        last = metric.update(**{k: v[5:] for k, v in one.items()})
        want = loop(**one, discount=1.0, reset_step=autoreset == "next_step")
        assert first + last.compute()["episodes"] == want["episodes"]
        assert last.compute()["in_flight"] == want["in_flight"]
        metric, ended = metric.reset(), ended + want["episodes"]
    assert ended > 10


def test_many_steps_in_an_update():
    rng = np.random.default_rng(7)
    shape = 301, 3  # blocks that don't divide them
    rewards = rng.normal(3, 1, shape).astype(np.float32)
    rewards[:, 2] = 1000.1  # of this environment all returns are equal
    dones = rng.random(shape) < 0.1
    dones[:, 2] = True
    metric = eqm.rl.EpisodeStatistics(3)
    got = jax.jit(lambda m, **given: m.update(**given).compute())(
        metric, rewards=rewards, dones=dones
    )
    want = loop(rewards, dones, np.ones(shape, bool), 1.0, False)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), got, want)
    assert want["episodes"] > 340 and want["return"]["max"] == np.float32(1000.1)


def test_long_sums_keep_their_last_place():
    tenths = jnp.full((1000, 1), 0.1, jnp.float32)
    no = jnp.zeros((1000, 1), bool)
    metric = eqm.rl.EpisodeStatistics(1)
    step = lambda m, _: (m.update(rewards=tenths, dones=no), None)
    metric = jax.lax.scan(step, metric, None, length=1000)[0]
    value = metric.update(rewards=tenths[:1], dones=~no[:1]).compute()
    want = 1_000_001 * float(np.float32(0.1))
    assert abs(value["return"]["mean"] / want - 1) < 1e-7
    assert value["length"]["mean"] == 1_000_001


def test_models_side_by_side():
    metric = jax.vmap(lambda _: eqm.rl.EpisodeStatistics(2))(jnp.arange(3))
    rewards = jnp.arange(12.0).reshape(3, 2, 2)
    step = lambda m, r: m.update(rewards=r, dones=r % 2 == 1)
    value = jax.jit(jax.vmap(lambda m, r: step(m, r).compute()))(metric, rewards)
    assert value["episodes"].tolist() == [2, 2, 2] and value["return"]["max"].tolist() == [3, 7, 11]


def test_what_it_refuses():
    episodes = eqm.rl.EpisodeStatistics(2)
    no = jnp.zeros(2, bool)
    with pytest.raises(TypeError, match=r"`rewards` is float32\[2, 3\], expected the shape \(2,\)"):
        episodes.update(rewards=jnp.ones((2, 3)), dones=jnp.zeros((2, 3), bool))
    with pytest.raises(TypeError, match=r"`dones` is bool\[1, 2\] and `rewards` is float32\[2\]"):
        episodes.update(rewards=jnp.ones(2), dones=no[None])
    with pytest.raises(TypeError, match=r"`mask` is bool\[3\].*shape \(2,\)"):
        episodes.update(rewards=jnp.ones(2), dones=no, mask=jnp.ones(3, bool))
    for bad in ({"num_envs": 0}, {"discount": 1.5}, {"autoreset": "later"}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            eqm.rl.EpisodeStatistics(**({"num_envs": 2} | bad))  # pyright: ignore
