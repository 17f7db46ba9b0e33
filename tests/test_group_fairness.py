"""`GroupFairness` against the definitions, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

import eqmetrics as eqm

from .oracle import agree, few, fold, masks, ROWS, spread, STEPS, weights


NAMES = (
    "demographic_parity",
    "demographic_parity_ratio",
    "equal_opportunity",
    "equal_opportunity_ratio",
    "equalized_odds",
    "equalized_odds_ratio",
)


def rates(labels, said, group, w, groups: int) -> np.ndarray:
    """Of each group: how many are selected, of all, of the positive and of the negative ones."""
    found = []
    for g in range(groups):
        parts = [group == g, (group == g) & (labels == 1), (group == g) & (labels == 0)]
        found.append([w[p & (said == 1)].sum() / w[p].sum() if w[p].sum() else np.nan
                      for p in parts])
    return np.array(found).T


def truth(*data, groups: int) -> list[float]:
    """As fairlearn defines them, for groups that have the rates: the difference and the ratio of
    the selection rates, both of the true positive rates, and the larger and the smaller of these
    and of those of the false positive rates."""
    found = [x[~np.isnan(x)] for x in rates(*data, groups=groups)]
    low, high = ([f(x) if x.size > 1 else np.nan for x in found] for f in (np.min, np.max))
    gaps = np.subtract(high, low)
    with np.errstate(all="ignore"):
        ratios = np.divide(low, high)
    odds = np.maximum(gaps[1], gaps[2]), np.minimum(ratios[1], ratios[2])
    return [gaps[0], ratios[0], gaps[1], ratios[1], *odds]


@st.composite
def decided(draw: st.DrawFn) -> dict[str, np.ndarray]:
    bits = arrays(np.int32, (STEPS, ROWS), elements=st.integers(0, 1))
    batch = {name: draw(bits) for name in ("predicted_labels", "labels")}
    batch["group"] = draw(arrays(np.int32, (STEPS, ROWS), elements=st.integers(0, 2)))
    batch["mask"] = draw(masks())
    batch["weights"] = draw(arrays(np.float32, (STEPS, ROWS), elements=weights))
    return batch


@pytest.mark.parametrize("way", [fold, spread])
@few
@given(batch=decided())
def test_it_is_the_definition(way, batch):
    got = way(eqm.GroupFairness(3), batch).compute()
    keep = batch["mask"]
    names = "labels", "predicted_labels", "group", "weights"
    data = [batch[name][keep].astype(np.float64) for name in names]
    want = truth(*data, groups=3)
    for name, x in zip(NAMES, want, strict=True):
        agree(got[name], x, 1e-5, 1e-6)


LABELS = jnp.array([1, 1, 0, 0, 1, 1, 1, 0])
SAID = jnp.array([1, 0, 1, 0, 1, 1, 0, 0])
GROUP = jnp.array([0, 0, 0, 0, 1, 1, 1, 1])


def test_by_hand():
    # selected: 2/4 and 2/4; of the positive 1/2 and 2/3; of the negative 1/2 and 0/1
    value = eqm.GroupFairness(2)(predicted_labels=SAID, labels=LABELS, group=GROUP)
    want = {
        "demographic_parity": 0,
        "demographic_parity_ratio": 1,
        "equal_opportunity": 2 / 3 - 1 / 2,
        "equal_opportunity_ratio": 3 / 4,
        "equalized_odds": 1 / 2,
        "equalized_odds_ratio": 0,
    }
    for name in NAMES:
        agree(value[name], want[name], 1e-6)
    logits = jnp.where(SAID == 1, 2.0, -2.0)
    other = eqm.GroupFairness(2, eqm.Binary(threshold=0.9))
    got = other(logits=logits, labels=LABELS, group=GROUP)  # nobody is selected
    assert got["demographic_parity"] == 0 and jnp.isnan(got["demographic_parity_ratio"])


def test_groups_without_the_rates_are_left_out():
    value = eqm.GroupFairness(4)(predicted_labels=SAID, labels=LABELS, group=GROUP * 2)
    assert abs(value["equal_opportunity"] - 1 / 6) < 1e-6
    one = eqm.GroupFairness(2)(predicted_labels=SAID, labels=LABELS, group=GROUP * 0)
    assert all(jnp.isnan(x) for x in one.values())
    same = eqm.GroupFairness(2, undefined=0.0)
    assert all(x == 0 for x in same.compute().values())


def test_a_group_with_invalid_rows_isnt_left_out():
    fairness = eqm.GroupFairness(3, undefined=0.0)
    bad = fairness.update(predicted_labels=SAID, labels=LABELS.at[7].set(5), group=GROUP)
    assert all(jnp.isnan(x) for x in bad.compute().values())
    with pytest.raises(eqm.InvalidDataError, match=r"GroupFairness.*\[1\]: 1 invalid row"):
        bad.check()
    bad = fairness.update(predicted_labels=SAID, labels=LABELS, group=GROUP.at[0].set(9))
    assert all(jnp.isnan(x) for x in bad.compute().values())
    with pytest.raises(eqm.InvalidDataError, match=r"1 invalid.*groups in \[0, 3\)"):
        bad.check()


def test_what_it_refuses():
    with pytest.raises(TypeError, match=r"`GroupFairness` got.*expected `eqm.Binary\(\)`"):
        eqm.GroupFairness(2, eqm.Multiclass(3))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="num_groups=0"):
        eqm.GroupFairness(0)
