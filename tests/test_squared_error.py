"""`MeanSquaredError` and `RootMeanSquaredError` beside scikit-learn in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import mean_squared_error, root_mean_squared_error

import eqmetrics as eqm

from .oracle import agree, fold, many, moved, pairs, real_rows, spread


CASES = [
    (eqm.MeanSquaredError, mean_squared_error),
    (eqm.RootMeanSquaredError, root_mean_squared_error),
]
SCALES = st.sampled_from([(1.0, 0.0), (1.0, 1e6), (1e-12, 0.0), (1e12, 0.0)])


@pytest.mark.parametrize("way", [fold, spread])
@pytest.mark.parametrize("cls, oracle", CASES)
@many
@given(batch=pairs(), place=SCALES)
def test_scikit_learns(way, cls, oracle, batch, place):
    batch = moved(batch, *place)
    p, t, w = real_rows(batch, "predictions", "targets")
    want = oracle(t, p, sample_weight=w) if w.size else np.nan
    agree(way(cls(), batch).compute(), want)


@pytest.mark.parametrize("cls, oracle", CASES)
@many
@given(batch=pairs(columns=(2,)))
def test_columns_are_scikit_learns(cls, oracle, batch):
    batch = moved(batch)
    p, t, w = real_rows(batch, "predictions", "targets")
    for multioutput in ("raw_values", "uniform_average", (0.25, 3.0)):
        got = fold(cls(outputs=2, multioutput=multioutput), batch).compute()
        some = w.size > 0
        want = oracle(t, p, sample_weight=w, multioutput=multioutput) if some else np.nan
        agree(got, want)


def test_by_hand():
    p, t = jnp.array([[1.0, 2.0], [3.0, 2.0]]), jnp.zeros((2, 2))
    assert eqm.MeanSquaredError()(predictions=p, targets=t) == 4.5
    raw = eqm.MeanSquaredError(outputs=2, multioutput="raw_values")
    assert raw(predictions=p, targets=t).tolist() == [5.0, 4.0]
    assert raw(predictions=p, targets=t, weights=jnp.array([3.0, 1.0])).tolist() == [3.0, 4.0]
    root = eqm.RootMeanSquaredError(outputs=(2,))
    mean = (jnp.sqrt(5.0) + 2) / 2
    assert root(predictions=p, targets=t) == mean
    assert eqm.MeanSquaredError()(predictions=p, targets=t, mask=jnp.array([True, False])) == 2.5
    kept = eqm.SquaredErrors(2)(predictions=p, targets=t, weights=jnp.array([3.0, 1.0]))
    assert kept["total"].tolist() == [12.0, 16.0] and kept["weight"] == 4.0
    narrow = np.array([255, 0], np.uint8), np.array([0, 255], np.uint8)
    assert eqm.MeanSquaredError()(predictions=narrow[0], targets=narrow[1]) == 255.0**2


def test_both_keep_one_statistic():
    both = eqm.MetricDict(mse=eqm.MeanSquaredError(), rmse=eqm.RootMeanSquaredError())
    assert [type(s) for s in both.states] == [eqm.SquaredErrors]
    p, t = jnp.array([1.0, 3.0]), jnp.array([0.0, 0.0])
    assert both(predictions=p, targets=t) == {"mse": 5.0, "rmse": jnp.sqrt(5.0)}
    other = eqm.MetricDict(mse=eqm.MeanSquaredError(), rmse=eqm.RootMeanSquaredError(outputs=2))
    assert len(other.states) == 2


def test_squares_beyond_the_range_are_never_plausible():
    for cls in (eqm.MeanSquaredError, eqm.RootMeanSquaredError):
        one = jnp.zeros(3)
        assert jnp.isinf(cls()(predictions=one + 1e20, targets=one))
        assert jnp.isnan(cls()(predictions=one + 1e-20, targets=one))
        assert cls()(predictions=one, targets=one) == 0.0
        mixed = cls()(predictions=jnp.array([1e-20, 1.0]), targets=jnp.zeros(2))
        assert abs(mixed - cls()(predictions=jnp.array([0.0, 1.0]), targets=jnp.zeros(2))) < 1e-6


def test_undefined_and_invalid():
    for cls in (eqm.MeanSquaredError, eqm.RootMeanSquaredError):
        assert jnp.isnan(cls().compute()) and cls(undefined=0.0).compute() == 0.0
        x = jnp.ones(2)
        assert jnp.isnan(cls(undefined=0.0)(predictions=x, targets=jnp.array([jnp.nan, 1.0])))
        bad = cls().update(predictions=x, targets=x, weights=jnp.array([1.0, -1.0]))
        with pytest.raises(eqm.InvalidDataError, match=f"{cls.__name__}: 1 invalid row.*weights"):
            bad.check()


def test_shapes_that_do_not_fit_are_told():
    said = r"`predictions` is float32\[4\] and `targets` is float32\[4, 1\]"
    with pytest.raises(TypeError, match=said):
        eqm.MeanSquaredError().update(predictions=jnp.ones(4), targets=jnp.ones((4, 1)))
    with pytest.raises(TypeError, match=r"`predictions` is float32\[4\], expected the trailing"):
        eqm.MeanSquaredError(outputs=2).update(predictions=jnp.ones(4), targets=jnp.ones(4))
    with pytest.raises(TypeError, match="`targets` is complex64.*real"):
        eqm.MeanSquaredError().update(predictions=jnp.ones(4), targets=jnp.ones(4) + 0j)
    for wrong in ((1.0,), (0.0, 0.0), (-1.0, 2.0), (1.0, np.inf), (1.0, np.nan)):
        with pytest.raises(ValueError, match="weight for each of the 2 column"):
            eqm.MeanSquaredError(outputs=2, multioutput=wrong)
    nothing = eqm.MeanSquaredError(outputs=(1, 2), multioutput=[0, 1])
    assert nothing(predictions=jnp.array([[[jnp.nan, 2.0]]]), targets=jnp.zeros((1, 1, 2))) == 4.0
    with pytest.raises(ValueError, match="multioutput='mean'"):
        eqm.MeanSquaredError(multioutput="mean")  # pyright: ignore[reportArgumentType]


def test_a_mean_that_underflows_is_no_zero():
    """Few errors too small to square, among many that are 0."""
    p = jnp.zeros(1000).at[0].set(1e-19)
    for cls in (eqm.MeanSquaredError, eqm.RootMeanSquaredError):
        for weight in (0.1, 1e-3, 1e-6):
            w = jnp.full(1000, weight)
            assert jnp.isnan(cls()(predictions=p, targets=jnp.zeros(1000), weights=w))
            right = cls()(predictions=p * 1e7, targets=jnp.zeros(1000), weights=w)
            agree(right, cls()(predictions=p * 1e7, targets=jnp.zeros(1000)), rtol=1e-6)
        assert cls()(predictions=p * 0, targets=jnp.zeros(1000)) == 0
