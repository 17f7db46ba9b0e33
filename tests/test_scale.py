"""What a reduction sends to 8 to 8192 devices, as the page says; and that its sums are exact and
have the same bits in any order at each of these sizes."""

import math
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, PartitionSpec as P

import eqmetrics as eqm
from eqmetrics._reduction import EXACT_SUM, run

from .benchmarks._sent import asked, compiled, Cost
from .benchmarks.collectives import (
    abstract,
    Counts,
    counts,
    sent_by_each,
    size_of,
    SIZES,
    STATES,
    times,
    traced,
)


PAGE = Path(__file__).parents[1] / "docs" / "docs" / "scale.md"
BUFFERS = {name: new for name, new in STATES.items() if "500 000" in name}


def real_mesh():
    return jax.make_mesh((8,), ("devices",), axis_types=(AxisType.Auto,))


@pytest.fixture(scope="module")
def found() -> Counts:
    return counts()


def test_the_page_has_the_counts(found):
    page = PAGE.read_text()
    for row in [*sent_by_each(found), *times(found)]:
        assert f"| {' | '.join(map(str, row))} |" in page


@pytest.mark.parametrize("name", STATES)
def test_xla_sends_on_8_devices_what_was_counted(name, found):
    text = traced(STATES[name], real_mesh()).lower().compile().as_text()
    assert compiled(text or "") == found[name][8]


@pytest.mark.parametrize("name", [name for name in STATES if name not in BUFFERS])
def test_no_more_collectives_on_more_devices(name, found):
    size = size_of(STATES[name])
    for n, cost in found[name].items():
        assert cost.moves == 0 and cost.sums == cost.rounds <= 3
        # of a pair of floats an exponent and two limbs, of more than 64 devices three
        assert cost.summed <= 1.001 * (1.5 if n < 128 else 2) * size


@pytest.mark.parametrize("name", BUFFERS)
def test_a_buffer_goes_once_on_any_number_of_devices(name, found):
    # labels in bytes are a collective of their own
    buffers, sums = (4_500_020, 3) if "AUROC" in name else (10_000_020, 2)
    for n, cost in found[name].items():
        assert (cost.sums, cost.moves, cost.rounds) == (sums, 0, 2)
        assert cost.summed <= 1.001 * buffers + 4 * n  # and how many rows each has


@pytest.mark.parametrize("name", ["20 metrics", *BUFFERS])
def test_two_axes_of_a_mesh_cost_as_much_as_one(name, found):
    mesh = abstract((1024, 8), ("hosts", "devices"))
    assert asked(traced(STATES[name], mesh).jaxpr) == found[name][8192]


def test_the_program_of_8192_devices_lowers():
    program = traced(STATES["20 metrics"], abstract((8192,)))
    text = program.lower(lowering_platforms=("tpu",)).as_text()
    assert re.findall(r"stablehlo\.(all_\w+|collective\w+)", text) == ["all_reduce"] * 2
    assert '"devices"=8192' in text and len(text) < 1e6


def test_a_large_matrix_is_not_written_into_the_program():
    program = traced(STATES["Fréchet distance, 2048 features"], abstract((8,)))
    assert len(program.lower(lowering_platforms=("cpu",)).as_text()) < 1e6


def test_plans_of_two_and_three_collectives_send_their_sums_at_once():
    both = lambda: eqm.MetricDict(
        auroc=eqm.AUROC(eqm.Binary(), resolution=9),
        std=eqm.Std().from_output("loss"),
        last=eqm.LastValue().from_output("loss"),
        episodes=eqm.rl.EpisodeStatistics(4),
    )
    cost = asked(traced(both, abstract((64,))).jaxpr)
    assert (cost.sums, cost.rounds) == (3, 3)


OTHERS = {
    "Distinct": ((1, 0, 1), eqm.Distinct),
    "Throughput": ((3, 0, 2), eqm.Throughput),
    "Best": ((3, 0, 2), lambda: eqm.Best(eqm.Average())),
    "LastValue": ((3, 0, 3), eqm.LastValue),
    "QuantileSketch": ((3, 0, 3), eqm.QuantileSketch),
    "ScoreHistogram": ((3, 0, 3), lambda: eqm.ScoreHistogram(eqm.Binary())),
    "Moments": ((1, 78, 14), eqm.Moments),
    "Buffer": ((3, 0, 2), lambda: eqm.Buffer(10, loss=np.float32, label=np.int8)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_those_that_the_page_says_take_other_collectives_than_two(name):
    want, new = OTHERS[name]
    cost = asked(traced(new, abstract((8192,))).jaxpr)
    assert (cost.sums, cost.moves, cost.rounds) == want and f"`{name}`" in PAGE.read_text()


def test_the_counters_count():
    def f(x):
        low, high = lax.pmax([x, 2 * x], "devices")
        kept = lax.ppermute(high, "devices", [(i, (i + 1) % 8) for i in range(8)])
        kept = lax.cond(x[0, 0] > 0, lambda y: y + 1, lambda y: y, kept)
        return jax.jit(lambda y: lax.psum(y, "devices"))(kept), lax.psum(x, "devices") + low

    shape = jax.ShapeDtypeStruct((8, 10), np.float32)
    for mesh in (abstract((8,)), real_mesh()):
        whole = jax.shard_map(f, mesh=mesh, in_specs=P("devices"), out_specs=P())
        program = jax.jit(whole).trace(shape)
        # of ten floats: two maxima in one collective, one moved, two sums
        assert asked(program.jaxpr) == Cost(3, 1, 3, 4 * 40, 40)
    text = program.lower().compile().as_text() or ""
    # XLA sends both sums at once where one can wait
    assert compiled(text)._replace(sums=3) == asked(program.jaxpr)


def test_seconds_are_those_of_steps_and_bytes():
    cost = Cost(sums=2, moves=3, rounds=5, summed=8000, moved=500)
    assert cost.sent(8) == 2 * 7 / 8 * 8000 + 500
    assert cost.seconds(8, 1e3, 10.0) == pytest.approx(2 * 6 * 10 + 3 * 10 + 14.5)


# Exactness. Each size is a program of its own.
ROWS, WHOLE, KINDS = 3, 5, 7


@jax.jit
def reduced(pairs, moments):
    """Over the first axis, of sums `(devices, 2, KINDS)` and `(weight, mean, products)`."""

    def each(pairs, moments):
        weight, mean, products = moments
        old = eqm.CentredMoments().replace(weight=weight, mean=mean, products=products)
        (sums,) = run([EXACT_SUM.across((pairs,), lax.axis_size("i"))], "i")[0]
        return sums, old.all_reduce("i")

    return jax.vmap(each, axis_name="i", out_axes=None)(pairs, moments)


def as_pairs(x: np.ndarray) -> np.ndarray:
    """Of numbers, with the devices first."""
    high = np.asarray(x, np.float64).astype(np.float32)
    return np.stack([high, (x - high).astype(np.float32)], axis=1)


def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
    """What each device has: numbers, whole ones first, and rows far from 0, NaN where none is."""
    rng = np.random.default_rng(n)
    long, one, most = rng.integers(2**46, 2**47, n), np.ones(n), np.full(n, 2**35 - 1)
    one[n // 2] = long[0] | 1
    opposite = np.where(np.arange(n) % 2, -np.roll(long, 1) + rng.integers(-9, 9, n), long)
    wide = rng.normal(size=n) * 10.0 ** rng.uniform(-30, 30, n)
    near = rng.normal(size=n) * (1 + 2.0**-30)
    kinds = most, -most, rng.integers(-(2**35), 2**35, n), one, opposite, wide, near
    rows = np.where(rng.random((n, ROWS)) < 0.7, rng.normal(1e3, 1, (n, ROWS)), np.nan)
    return np.stack(kinds, axis=1).astype(np.float64), rows


def moments_of(rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of the rows of each device, in pairs."""
    weight = np.sum(~np.isnan(rows), axis=1)
    mean = np.nansum(rows, axis=1) / np.maximum(weight, 1)
    products = np.nansum((rows - mean[:, None]) ** 2, axis=1)
    return as_pairs(weight), as_pairs(mean[:, None]), as_pairs(products[:, None])


@pytest.mark.parametrize("n", SIZES)
def test_sums_counts_and_moments_of_many_devices(n):
    numbers, rows = drawn(n)
    given = as_pairs(numbers), moments_of(rows)
    sums, metrics = reduced(*given)
    for kind in range(KINDS):
        terms = given[0][:, :, kind].astype(np.float64).sum(1)
        got, want = math.fsum(np.asarray(sums, np.float64)[:, kind]), math.fsum(terms)
        error = 0 if kind < WHOLE else n * 2.0**-48 * max(abs(terms)) + 2.0**-47 * abs(want)
        assert abs(got - want) <= error, kind
    real = rows[~np.isnan(rows)]
    weight, mean, squares = (
        np.asarray(x, np.float64).sum(0).item()
        for x in (metrics.weight, metrics.mean, metrics.products)
    )
    assert weight == len(real)
    assert mean == pytest.approx(math.fsum(real) / len(real), rel=2.0**-44)
    assert squares == pytest.approx(real.var() * len(real), rel=2.0**-40)

    bits = [x.tobytes() for x in map(np.asarray, jax.tree.leaves((sums, metrics)))]
    for order in (np.arange(n)[::-1], np.random.default_rng(0).permutation(n)):
        again = jax.tree.leaves(reduced(*jax.tree.map(lambda x: x[order], given)))
        assert [np.asarray(x).tobytes() for x in again] == bits


def test_what_is_not_finite_comes_through_8192_devices():
    numbers, rows = drawn(8192)
    pairs = as_pairs(numbers)
    pairs[[7, 4000], 0, [0, 1]], pairs[::2, 0, 2] = np.nan, np.inf
    pairs[[7, 4000], 1, [0, 1]], pairs[::2, 1, 2] = 0, 0
    sums = np.asarray(reduced(pairs, moments_of(rows))[0]).sum(0)
    assert np.isnan(sums[:2]).all() and sums[2] == np.inf and np.isfinite(sums[3:]).all()


def test_merging_a_stack_of_8192_is_the_same():
    x = jnp.arange(8192 * 2, dtype=jnp.float32).reshape(8192, 2)
    stack = jax.jit(jax.vmap(lambda v: eqm.Sum().update(v)))(x)
    total = jax.jit(lambda s: s.reduce())(stack)
    assert eqm.to_host(total) == 16384 * 16383 // 2
