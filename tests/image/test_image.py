"""`eqm.image.Image`: configuration, and what it says of shapes."""

import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm


LAST = eqm.image.Image(1.0)
FIRST = eqm.image.Image(1.0, channel_axis=-3)
GREY = eqm.image.Image(1.0, channel_axis=None)


def test_it_is_a_value():
    assert eqm.image.Image(1.0) == LAST == eqm.image.Image(1, -1)
    assert hash(eqm.image.Image(255)) == hash(eqm.image.Image(255.0)) and FIRST != LAST
    with pytest.raises(AttributeError):
        LAST.data_range = 2.0  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValueError, match="different configuration: `image` is Image"):
        eqm.image.PSNR(LAST).merge(eqm.image.PSNR(FIRST))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: eqm.image.Image(0.0), "data_range=0.0: expected a number above 0"),
        (lambda: eqm.image.Image(1.0, channel_axis=1), "channel_axis=1: expected -1"),
        (lambda: eqm.image.Image(1.0, channels=0), "channels=0"),
    ],
)
def test_what_it_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_axis_of_the_channels_changes_no_value():
    rng = np.random.default_rng(0)
    p, t = rng.random((2, 3, 12, 14, 3)).astype(np.float32)
    weights = np.array([1.0, 2.0, 0.5], np.float32)
    mask = rng.random((3, 12, 14)) < 0.99
    for metric in (eqm.image.PSNR, lambda image: eqm.image.SSIM(image, window=5)):
        last = metric(LAST)(predictions=p, targets=t, mask=mask, weights=weights)
        p1, t1 = np.moveaxis(p, -1, -3), np.moveaxis(t, -1, -3)
        first = metric(FIRST)(predictions=p1, targets=t1, mask=mask, weights=weights)
        assert abs(last - first) < 1e-5
        one = metric(LAST)(predictions=p[..., :1], targets=t[..., :1], mask=mask)
        grey = metric(GREY)(predictions=p[..., 0], targets=t[..., 0], mask=mask)
        assert abs(one - grey) < 1e-5


def test_rows_have_any_axes():
    rng = np.random.default_rng(0)
    p, t = rng.random((2, 6, 4, 4, 3)).astype(np.float32)
    mask = rng.random((6, 4, 4)) < 0.8
    cut = lambda x: x.reshape(2, 3, *x.shape[1:])
    psnr = eqm.image.PSNR(LAST)
    want = psnr(predictions=p, targets=t, mask=mask)
    assert psnr(predictions=cut(p), targets=cut(t), mask=cut(mask)) == want
    each = psnr.per_row(predictions=p, targets=t, mask=mask)
    assert abs(each.mean() - want) < 1e-5
    assert abs(each[2] - psnr(predictions=p[2], targets=t[2], mask=mask[2])) < 1e-6


X = jnp.ones((2, 8, 9, 3))


@pytest.mark.parametrize(
    "image, outputs, words",
    [
        (LAST, {"targets": X[:, :4]}, ["`predictions` is float32[2, 8, 9, 3]", "`targets`"]),
        (LAST, {"mask": jnp.ones((2, 8, 9, 3), bool)}, ["(2, 8, 9)", "mask.all(axis=...)"]),
        (LAST, {"mask": jnp.ones((2, 9, 8), bool)}, ["bool[2, 9, 8]", "(2,)", "(2, 8, 9)"]),
        (LAST, {"mask": jnp.ones(3, bool)}, ["bool[3]", "(2,)"]),
        (LAST, {"predictions": X[0, 0], "targets": X[0, 0]}, ["(*rows, height, width, channels)"]),
        (
            eqm.image.Image(1.0, channel_axis=-3, channels=3),
            {},
            ["8 channels in the axis -3, expected 3", "channel_axis=-1"],
        ),
        (LAST, {"predictions": X + 0j}, ["complex", "real"]),
    ],
)
def test_shapes_are_told(image, outputs, words):
    with pytest.raises(TypeError) as told:
        eqm.image.PSNR(image).update(**{"predictions": X, "targets": X} | outputs)
    assert [word for word in words if word not in str(told.value)] == []
