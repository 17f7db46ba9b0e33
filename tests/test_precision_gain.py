"""`PrecisionRecallGain` beside the algorithm of its authors, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, strategies as st

import eqmetrics as eqm

from .oracle import few, fold
from .scores import kept, scored


def area(x, y, w):
    """As their `create_prg_curve` and `calc_auprg` do: the points of all scores, one more where the
    recall gain is 0, and trapezoids."""
    tops = np.unique(x)[::-1]
    tp = np.array([0, *(w[(x >= t) & (y == 1)].sum() for t in tops)])
    fp = np.array([0, *(w[(x >= t) & (y == 0)].sum() for t in tops)])
    p, n = tp[-1], fp[-1]
    if not p or not n:
        return np.nan
    first = p * p / (p + n)
    after = np.searchsorted(tp, first)
    share = (first - tp[after - 1]) / (tp[after] - tp[after - 1])
    tp = np.array([first, *tp[after:]])
    fp = np.array([fp[after - 1] + share * (fp[after] - fp[after - 1]), *fp[after:]])
    precision, recall = tp / (tp + fp), tp / p
    pi = p / (p + n)
    gains = [(r - pi) / ((1 - pi) * r) for r in (precision, recall)]
    return np.trapezoid(*gains)


METRIC = eqm.MetricDict(
    cells=eqm.PrecisionRecallGain(eqm.Binary(), resolution=9),
    rows=eqm.PrecisionRecallGain(eqm.Binary(), exact=24),
)


@jax.jit
def read(metrics):
    return metrics.compute()


@few
@given(batch=scored("logits", elements=st.sampled_from([-1e30, -1.0, 0.0, 1.0, 2.0, 1e30])))
def test_is_that_of_its_authors(batch):
    got = read(fold(METRIC, batch))
    want = area(*kept(batch, "logits"))
    for x in got.values():
        np.testing.assert_allclose(x, want, rtol=1e-4, atol=1e-4)


def test_by_hand():
    gain = eqm.PrecisionRecallGain(eqm.Binary(), exact=4)
    labels = jnp.array([0, 0, 1, 1])
    assert gain(logits=jnp.arange(4.0), labels=labels) == 1
    assert abs(gain(logits=jnp.zeros(4), labels=labels)) < 1e-6  # all tied: as at random
    assert jnp.isnan(gain(logits=jnp.zeros(4), labels=labels * 0))
    assert eqm.PrecisionRecallGain(eqm.Binary(), exact=4, undefined=0.0).compute() == 0
