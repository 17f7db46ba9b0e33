"""Every metric of the library obeys the laws: in groups, and alone among the slow tests."""

import jax
import pytest

import eqmetrics as eqm
from eqmetrics._metric.node import walk
from eqmetrics.testing import check_metric
from eqmetrics.testing._subject import updated

from .broken import IgnoresWeights, KeepsTheFirst, ReducesOtherwise
from .draws import drawn, SIZES, values
from .groups import all_nan, every_alone, Group, grouped, kind, narrowed, params, same
from .table import ROWS, SLOW


GROUPS = grouped()


def check(group: Group) -> None:
    (metric,) = group.metrics.values() if len(group.metrics) == 1 else [group.together()]
    check_metric(metric, group.batches)
    if len(group.metrics) > 1:
        # NaN obeys every law: `check_metric` refuses it where it is all of the value.
        value = updated(metric, jax.device_put(group.batches[0])).compute()
        assert [name for name, x in value.items() if all_nan(x)] == []


@pytest.mark.parametrize("group", params(GROUPS))
def test_laws(group):
    narrowed(check, group)


@pytest.mark.parametrize("group", every_alone())
def test_laws_of_one_metric(group):
    check(group)


# ---- of the groups


def test_a_group_gives_each_member_the_batches_of_its_row():
    assert [*ROWS.keys() - SLOW] and sorted(ROWS.keys() - SLOW) == sorted(
        name for group in GROUPS for name in group.metrics
    )
    for group in GROUPS:
        assert len({kind(metric) for metric in group.metrics.values()}) == 1
        for name, metric in group.metrics.items():
            for mine, theirs in zip(group.of(metric), ROWS[name][1], strict=True):
                assert mine.keys() == theirs.keys()
                assert all(same(mine[k], theirs[k]) for k in mine)


def test_most_rows_are_in_a_group():
    alone = [name for group in GROUPS if len(group.metrics) == 1 for name in group.metrics]
    assert len(alone) < 0.15 * sum(len(group.metrics) for group in GROUPS)


def test_what_is_ordered_or_a_users_is_in_no_group_of_others():
    assert kind(eqm.Average()) == kind(eqm.F1(eqm.Binary()))
    for other in (eqm.Windowed(eqm.Average(), 2), ROWS["PerGroup of a user's metric"][0]):
        assert kind(other) != kind(eqm.Average())
    assert any(type(node).ordered for _, node, _ in walk(eqm.LastValue()))


def test_a_broken_member_of_a_group_is_named():
    good = {"mean": eqm.Average(), "most": eqm.Max()}
    of = {k: m.from_output(mask=None, weights=None) for k, m in good.items()}
    batches = drawn(SIZES, values=values)
    bad = {"first": KeepsTheFirst(), "otherwise": ReducesOtherwise()}
    with pytest.raises(AssertionError, match="In a group of 4 fail:") as told:
        narrowed(check, Group(of | bad, batches))
    said = str(told.value)
    assert "\nfirst: `KeepsTheFirst` breaks the law of commutativity" in said
    assert "\notherwise: `ReducesOtherwise` breaks the law of reduce = merge" in said
    assert "\nmean" not in said and "\nmost" not in said
    # Weights are asked of the group, and one member doesn't heed them.
    weighted: dict[str, eqm.Metric] = {k: m.from_output(mask=None) for k, m in good.items()}
    with pytest.raises(AssertionError, match="\nheedless: .*breaks the law of weights"):
        narrowed(check, Group(weighted | {"heedless": IgnoresWeights()}, batches))


def test_a_group_that_fails_only_together_fails():
    def only_together(group):
        assert len(group.metrics) == 1, "together"

    group = Group({"a": eqm.Average(), "b": eqm.Sum()}, drawn(SIZES, values=values))
    with pytest.raises(AssertionError, match="None of a, b fails alone"):
        narrowed(only_together, group)
    narrowed(only_together, group.alone()[0])


def test_a_member_that_is_nan_is_named():
    members = {"mean": eqm.Average(), "spread": eqm.Variance(ddof=1000)}
    with pytest.raises(AssertionError, match="spread"):
        narrowed(check, Group(members, drawn(SIZES, values=values)))
