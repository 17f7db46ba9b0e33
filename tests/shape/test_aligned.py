"""`RMSD`, `MPJPE` and `ProcrustesDisparity` beside scipy in float64, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

import eqmetrics as eqm
from eqmetrics.shape._align import Align

from ..oracle import few, fold, seeds
from .oracle import batch_of, check


RMSD, MPJPE, Disparity = eqm.shape.RMSD, eqm.shape.MPJPE, eqm.shape.ProcrustesDisparity


def laid(p, t, align):
    """The prediction on its target, by scipy's rotation."""
    if align == "none":
        return p
    p, middle = p - p.mean(0), t.mean(0)
    if align == "translation":
        return p + middle
    turn = Rotation.align_vectors(t - middle, p)[0]
    p = turn.apply(p)
    scale = np.sum(p * (t - middle)) / np.sum(p * p) if align == "similarity" else 1
    return p * scale + middle


def rmsd(align):
    return lambda p, t: np.sqrt(np.mean(np.sum((laid(p, t, align) - t) ** 2, axis=1)))


def disparity(p, t):
    return procrustes(t, p)[2]


def planar(p, t):
    """By the angle of the best rotation, in complex numbers."""
    p, t = p - p.mean(0), t - t.mean(0)
    angle = np.angle(np.sum((t[:, 0] + 1j * t[:, 1]) * (p[:, 0] - 1j * p[:, 1])))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.sqrt(np.mean(np.sum((p @ turn - t) ** 2, axis=1)))


def joints(align):
    return lambda p, t: np.mean(np.linalg.norm(laid(p, t, align) - t, axis=1))


WAYS: tuple[Align, Align, Align, Align] = ("rigid", "similarity", "translation", "none")


@pytest.mark.filterwarnings("ignore:Optimal rotation is not uniquely")
@few
@given(seed=seeds)
def test_float64_agrees(seed):
    rmsds = {f"rmsd, {align}": (RMSD(align=align), rmsd(align)) for align in WAYS}
    poses = {f"mpjpe, {align}": (MPJPE(align=align), joints(align)) for align in WAYS}
    check(seed, 1e-3, {"disparity": (Disparity(), disparity), **rmsds, **poses})


@few
@given(seed=seeds)
def test_on_a_plane(seed):
    pairs = {"disparity": (Disparity(), disparity), "rmsd": (RMSD(), planar)}
    check(seed, 1e-3, pairs, axes=2)


@few
@given(seed=seeds)
def test_pooled(seed):
    batch = batch_of(seed, True)
    each = []
    rows = np.argwhere((batch["weights"] > 0) & batch["mask"].any(-1))
    for at in map(tuple, rows):
        keep = batch["mask"][at]
        d = batch["predictions"][at][keep].astype(float) - batch["targets"][at][keep]
        each.append((np.linalg.norm(d, axis=1), float(batch["weights"][at])))
    weight = sum(w * len(d) for d, w in each)
    want = sum(w * d.sum() for d, w in each) / weight if each else np.nan
    got = fold(MPJPE(per="pooled"), batch).compute()
    np.testing.assert_allclose(got, want, 1e-5)


TRIANGLE = jnp.array([[[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]]])
CHIRAL = jnp.array([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0]]])


def test_by_hand():
    double = 2 * TRIANGLE + 5
    assert Disparity()(predictions=double, targets=TRIANGLE) < 1e-12
    assert RMSD(align="similarity")(predictions=double, targets=TRIANGLE) < 1e-6
    assert RMSD()(predictions=double, targets=TRIANGLE) > 0.5
    turned = jnp.stack([-TRIANGLE[..., 1], TRIANGLE[..., 0]], axis=-1) - 3
    assert RMSD()(predictions=turned, targets=TRIANGLE) < 1e-6
    # A mirror image isn't a rotation of what has a hand.
    mirrored = CHIRAL * jnp.array([[[1.0, 1.0, -1.0]]])
    assert RMSD()(predictions=mirrored, targets=CHIRAL) > 0.3
    assert MPJPE(align="similarity")(predictions=mirrored, targets=CHIRAL) > 0.3
    assert Disparity()(predictions=mirrored, targets=CHIRAL) < 1e-12
    flat = CHIRAL[..., :2]
    assert RMSD()(predictions=flat * jnp.array([[[1.0, -1.0]]]), targets=flat) > 0.3
    # Two points 2 and 4 apart: 1 is left on either side.
    two, four = jnp.array([[[-1.0, 0.0], [1.0, 0.0]]]), jnp.array([[[0.0, -2.0], [0.0, 2.0]]])
    np.testing.assert_allclose(RMSD()(predictions=two, targets=four), 1, rtol=1e-6)
    moved = TRIANGLE.at[0, 0].add(jnp.array([3.0, 4.0]))
    np.testing.assert_allclose(MPJPE()(predictions=moved, targets=TRIANGLE), 5 / 3, rtol=1e-6)


def test_far_away():
    rng = np.random.default_rng(0)
    t = (1000 + rng.integers(-512, 512, (1, 20, 3)) / 64).astype(np.float32)
    p = (t[..., [1, 2, 0]] - 5000 + rng.integers(-8, 8, t.shape) / 64).astype(np.float32)
    want = rmsd("rigid")(p[0].astype(float), t[0].astype(float))
    np.testing.assert_allclose(RMSD()(predictions=p, targets=t), want, rtol=1e-4)


def test_shapes_of_no_size():
    same = jnp.ones((1, 3, 2))
    assert jnp.isnan(Disparity()(predictions=TRIANGLE, targets=same))
    np.testing.assert_allclose(Disparity()(predictions=same, targets=TRIANGLE), 1, rtol=1e-6)
    assert RMSD()(predictions=same, targets=same + 1) == 0
    assert jnp.isnan(RMSD().compute()) and RMSD(undefined=0.5).compute() == 0.5
    one = jnp.zeros((1, 3), bool).at[0, 1].set(True)
    assert RMSD()(predictions=TRIANGLE, targets=TRIANGLE + 4, mask=one) == 0
    line = jnp.array([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [3.0, 0.0, 0.0]]])
    turned = RMSD()(predictions=line[..., ::-1], targets=line)
    np.testing.assert_allclose(turned, 0, atol=1e-6)
    bad = TRIANGLE.at[0, 0, 0].set(jnp.nan)
    for metric in (RMSD(), MPJPE(), Disparity()):
        assert jnp.isnan(metric(predictions=bad, targets=TRIANGLE))


def test_the_gradient():
    """Of shapes whose singular values are equal, too."""
    cube = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    rng = np.random.default_rng(0)
    noise, d = rng.normal(size=(2, 8, 3))
    p = cube + 0.3 * noise
    pairs = [
        pair
        for align in WAYS[:2]
        for pair in ((RMSD(align=align), rmsd(align)), (MPJPE(align=align), joints(align)))
    ]
    target = jnp.float32(cube)[None]
    of = lambda p: jnp.stack([m(predictions=p, targets=target) for m, _ in pairs])
    slopes = jax.jit(jax.jacrev(of))
    for slope, (_, value) in zip(slopes(jnp.float32(p)[None])[:, 0], pairs, strict=True):
        want = (value(p + 1e-5 * d, cube) - value(p - 1e-5 * d, cube)) / 2e-5
        np.testing.assert_allclose(np.sum(slope * d), want, rtol=1e-3)
    assert jnp.isfinite(slopes(target)).all()


def test_what_they_refuse():
    with pytest.raises(ValueError, match="`align` is 'kabsch', expected 'none'"):
        RMSD(align="kabsch")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"expected \(\*rows, points, axes\)"):
        MPJPE()(predictions=jnp.ones(3), targets=jnp.ones(3))
    with pytest.raises(TypeError, match=r"`targets` is float32\[2, 3\]: they must have the same"):
        Disparity()(predictions=TRIANGLE, targets=TRIANGLE[0].T)
    with pytest.raises(TypeError, match=r"`mask` is bool\[1, 2\]"):
        RMSD()(predictions=TRIANGLE, targets=TRIANGLE, mask=jnp.ones((1, 2), bool))
