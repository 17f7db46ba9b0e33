"""Every message names the way out, and following it works."""

import contextlib
import traceback
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm


N = 4
MASK = jnp.array([True, True, True, False])
LABELS = jnp.array([0, 1, 2, 2])
LOGITS = jnp.eye(N, 3)


def raises(kind, call, *told) -> Any:
    with pytest.raises(kind) as error:
        call()
    said = "\n".join([str(error.value), *getattr(error.value, "__notes__", ())])
    for words in told:
        assert words in said, said
    return error.value


# ---- stacked states


@pytest.mark.parametrize("action", ["compute", "update", "merge"])
def test_a_stacked_state_has_three_ways_out(action):
    state = jax.vmap(eqm.Sum().update)(jnp.arange(8.0).reshape(4, 2))
    calls = {
        "compute": state.compute,
        "update": lambda: state.update(jnp.ones(2)),
        "merge": lambda: state.merge(state),
    }
    raises(
        TypeError, calls[action], "leading axis of 4", "`metric = eqm.unreplicate(metric)`",
        "with rows of its own", "`metric = metric.reduce()`", "Models side by side",
        f"jax.vmap(lambda m: m.{action}(",
    )  # fmt: skip
    assert state.reduce().compute() == 28
    assert jax.vmap(lambda m: m.compute())(state).tolist() == [1, 5, 9, 13]


def across(metrics, values):
    fn = jax.pmap(lambda m, x: m.update_across("d", values=x), "d", in_axes=(None, 0))
    return fn(metrics, values)


def test_copies_are_told_from_parts():
    metrics = {"m": eqm.MetricDict(mean=eqm.Average(), count=eqm.Count()), "step": 3}
    copies = {"m": across(metrics["m"], jnp.arange(16.0).reshape(8, 2)), "step": 3}
    with pytest.warns(UserWarning, match="merges 8 states that are equal to the bit.*unreplicate"):
        assert eqm.reduce(copies)["m"]["count"].compute() == 128
    with pytest.warns(UserWarning, match="equal to the bit"):
        copies["m"].reduce()
    assert eqm.unreplicate(copies)["m"]["count"].compute() == 16


def test_what_is_merged_by_right_does_not_warn():
    # filterwarnings = error
    m = eqm.MetricDict(mean=eqm.Average(), count=eqm.Count())
    parts = jax.vmap(lambda x: m.update(values=x))(jnp.arange(16.0).reshape(8, 2))
    assert parts.reduce()["count"].compute() == 16  # equal counts, and other means
    jax.tree.map(lambda x: jnp.stack([x] * 8), m).reduce()  # empty
    equal = jax.vmap(lambda x: m.update(values=x))(jnp.ones((8, 2)))
    assert jax.jit(lambda s: s.reduce())(equal)["count"].compute() == 16  # not on the host
    jax.tree.map(lambda x: x[:1], equal).reduce()  # of one there is no copy
    nans = jax.vmap(eqm.Sum().update)(jnp.array([[jnp.nan], [1.0]]))
    assert jnp.isnan(nans.reduce().compute())
    with pytest.warns(UserWarning, match="equal to the bit"):  # NaN equals NaN
        jax.vmap(eqm.Sum().update)(jnp.full((2, 1), jnp.nan)).reduce()


# ---- what an update is given


@pytest.mark.parametrize("name", ["mask", "weights"])
def test_rows_and_a_number_of_the_step_in_one_call(name):
    def update(lr):
        rows = {name: MASK if name == "mask" else jnp.ones(N)}
        metrics = eqm.MetricDict(loss=eqm.Average().from_output("loss"), lr=lr)
        return metrics.update(loss=jnp.arange(4.0), lr=0.5, **rows)

    raises(
        TypeError, lambda: update(eqm.LastValue().from_output("lr")),
        f"`{name}` is ", "has no rows", f"`metric.from_output('lr', {name}=None)`",
        "In the metric `lr`",
    )  # fmt: skip
    way_out = eqm.LastValue().from_output("lr", **{name: None})
    assert update(way_out)["lr"].compute() == 0.5


@pytest.mark.parametrize(
    "make",
    [eqm.F1, eqm.Accuracy, eqm.LogLoss, eqm.AUROC, eqm.HammingLoss, eqm.LabelRankingLoss],
    ids=lambda make: make.__name__,
)
def test_a_mask_for_each_label_of_a_row(make):
    labels, mask = jnp.array([[0, 1, 1]] * N), jnp.array([[True, True, False]] * N)
    value = make(eqm.Multilabel(3))(logits=LOGITS, labels=labels, mask=mask)
    marked = make(eqm.Multilabel(3, ignore_index=-1))
    same = marked(logits=LOGITS, labels=jnp.where(mask, labels, -1))
    np.testing.assert_array_equal(value, same)
    raises(
        TypeError, lambda: marked(logits=LOGITS, labels=labels, mask=mask[:2]),
        "a mask has the shape (4,) of the rows, which it removes, or the shape (4, 3)",
    )  # fmt: skip


def test_a_mask_for_each_column():
    values, mask = jnp.ones((N, 3)), jnp.ones((N, 3), bool)
    call = lambda: eqm.Average(3)(values, mask=mask)
    raises(TypeError, call, "`eqm.MultiOutput(metric, 3, shared=())`")
    eqm.MultiOutput(eqm.Average(), 3, shared=())(values=values, mask=mask)


TASK = eqm.Multiclass(3)


@pytest.mark.parametrize(
    "metric", [eqm.Accuracy(), eqm.F1(TASK), eqm.LogLoss(TASK), eqm.AUROC(TASK)]
)
def test_scores_of_another_task(metric):
    def told(*words, **outputs):
        raises(TypeError, lambda: metric.update(**outputs), *words)

    told("a binary task", "`eqm.Accuracy(eqm.Binary())`", logits=jnp.ones(N), labels=LABELS)
    one_hot = jax.nn.one_hot(LABELS, 3, dtype=jnp.int32)
    told("labels.argmax(-1)", "eqm.Multilabel(3)", logits=LOGITS, labels=one_hot)


def test_scores_of_another_shape_than_a_binary_task_has():
    def told(logits, *words):
        raises(TypeError, lambda: eqm.F1(eqm.Binary()).update(logits=logits, labels=LABELS), *words)

    told(jnp.ones((N, 1)), "`logits[..., 0]`")
    told(jnp.ones((N, 2)), "`eqm.Multiclass(2)`")


@pytest.mark.parametrize(
    "metric, call",
    [
        (eqm.Average().from_fun(lambda loss: loss), "update(loss=...)"),
        (eqm.Windowed(eqm.Accuracy(), 2), "update(labels=...)"),
        (eqm.MetricDict(loss=eqm.Average()), "update(values=...)"),
        (eqm.Compose(jnp.exp, eqm.Average()), "update(values=...)"),
        (eqm.Collect("a"), "update(a=...)"),
        (eqm.Buffer(4, a=jnp.float32), "update(a=...)"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, eqm.Metric) else None,
)
def test_what_takes_nothing_by_position_is_given_outputs_by_name(metric, call):
    raises(TypeError, lambda: metric.update(jnp.ones(2)), "outputs by name", call)
    raises(TypeError, lambda: metric(jnp.ones(2)), "outputs by name", call)


def test_functions_of_functions():
    twice = eqm.Average().from_fun(lambda half: half * 2).from_fun(lambda loss: loss / 2)
    assert twice(loss=jnp.array([1.0, 3.0]), mask=jnp.array([True, False])) == 1
    call = lambda fn, make: make().from_fun(fn)(x=jnp.ones(2))
    raises(TypeError, lambda: call(lambda x: None, eqm.Average), "returned None", "`return`")
    raises(TypeError, lambda: call(lambda x: {"valuez": x}, eqm.Average), "Did you mean `values`?")
    raises(
        TypeError, lambda: call(lambda x: (x, x), eqm.MeanSquaredError), "returned tuple",
        "`return {'predictions': ..., 'targets': ...}`",
    )  # fmt: skip


# ---- members


class Holder(eqx.Module):
    weight: jax.Array
    metrics: eqm.MetricDict


def test_tree_at_on_a_member():
    metrics = eqm.MetricDict(loss=eqm.Average(), std=eqm.Std())
    for where in (
        lambda m: m["loss"],
        lambda m: m["loss"].sums.pairs,
        lambda m: m.states["loss"].sums.pairs,
    ):
        raises(
            TypeError, lambda where=where: eqx.tree_at(where, metrics, eqm.Sum()),
            "metrics['loss']", "replace_members", "metrics['loss'].replace(...)",
        )  # fmt: skip
    new = metrics.replace_members(loss=eqm.Sum())
    assert type(new["loss"]) is eqm.Sum
    state = Holder(jnp.ones(2), metrics)
    assert eqx.tree_at(lambda s: s.metrics, state, new).metrics["loss"].compute() == 0
    loss: Any = metrics["loss"]
    sums = loss.sums.replace(pairs=jnp.full((2, 2), 10.0))
    ten: Any = metrics.replace_members(loss=loss.replace(sums=sums))
    assert ten["loss"].sums.pairs[0, 0] == 10


def test_reading_under_a_transformation():
    metrics = eqm.MetricDict(loss=eqm.Average())
    for read, name in ((eqm.to_host, "eqm.to_host"), (lambda m: m.check(), "metrics.check()")):
        call = jax.jit(lambda x, read=read: read(metrics.update(values=x)))
        raises(TypeError, lambda call=call: call(jnp.ones(2)), f"`{name}` was called inside `jit`",
               "Return the metrics", "`metrics.compute()`")  # fmt: skip


def cell():
    class Tot(eqm.Metric):
        total: jax.Array = eqm.state(reduce="sum")

        def __init__(self):
            self.total = jnp.zeros(())

        def update(self, values: jax.Array) -> "Tot":
            return self.replace(total=self.total + helper(values))

        def compute(self) -> jax.Array:
            if float(self.total) > 3:
                raise RuntimeError("too much")
            return self.total

    return Tot


def helper(values):
    return values.sum() if values.ndim == 1 else values @ jnp.ones(7)


def test_a_class_that_was_defined_again():
    old, new = cell()().update(jnp.ones(2)), cell()()
    raises(TypeError, lambda: old.merge(new), "two classes of one name", "notebook cell")
    carried = jax.tree.unflatten(jax.tree.structure(new), jax.tree.leaves(old))
    assert new.merge(carried).compute() == 2
    raises(TypeError, lambda: new.merge(type(new)), "the class `", "Build it: `Tot()`")


def test_an_error_of_a_member_names_it():
    class Typed(eqm.Collection):
        q: eqm.Quantile

    a, b = (eqm.MetricDict(a=eqm.Accuracy(), q=eqm.Quantile(q)) for q in (0.1, 0.2))
    raises(ValueError, lambda: a.merge(b), "`q` is 0.1 here and 0.2 there", "In the metric `q` (Q")
    call = lambda: Typed(eqm.Quantile(0.1)).merge(Typed(eqm.Quantile(0.2)))
    raises(ValueError, call, "In `Typed.q`")
    raises(ValueError, lambda: eqm.merge([a["q"]], [b["q"]]), "In the metric at `[0]`")
    c = eqm.MetricDict(n=eqm.Average(2), m=eqm.Average(2))
    d = c.replace_members(m=eqm.Average(3))
    raises(ValueError, lambda: c.merge(d), "In the metric `m`")


# ---- batches


def evaluated(*batches, **kwargs):
    step = lambda m, batch, mask: m.update(batch["x"], mask=mask)
    return eqm.evaluate(step, eqm.Sum(), batches, **kwargs)


@pytest.mark.parametrize(
    "batch, told",
    [
        ({"x": np.ones(3), "id": np.array(["a", "b", "c"])}, ["`batch['id']`", "Leave it out"]),
        ({"x": np.ones(3), "id": ["a", "b", "c"]}, ["`batch['id'][0]`", "Leave it out"]),
        ({"x": np.ones(3), "o": np.array([None] * 3)}, ["`batch['o']`", "Leave it out"]),
        ({"x": np.ones(3), "key": jax.random.key(0)}, ["`batch['key']` is a key", "`args`"]),
        ({"x": np.ones(3), "y": np.ones(4)}, ["`batch['x']` is (3,)", "`batch['y']` is (4,)"]),
        ({"x": np.ones(3), "y": np.full(3, 2**40)}, ["`batch['y']` holds integers"]),
        ({"x": np.ones(0)}, ["first batch is empty", "`size=`"]),
    ],
)
def test_a_batch_that_no_device_takes(batch, told):
    error = raises(eqm.EvaluationError, lambda: evaluated(batch))
    for words in told:
        assert words in str(error.__cause__)


def test_the_ways_out_of_batches():
    assert evaluated({"x": np.ones(0)}, {"x": np.ones(3)}, size=4).compute() == 3
    keys = [{"x": np.ones(n), "keys": jax.random.split(jax.random.key(0), n)} for n in (3, 2)]
    assert evaluated(*keys).compute() == 5  # a key a row is padded with the rows


# ---- whose frames an error shows


def frames(error):
    return [f.filename for f in traceback.extract_tb(error.__traceback__)]


@contextlib.contextmanager
def unfiltered():
    before = jax.config.jax_traceback_filtering  # pyright: ignore[reportAttributeAccessIssue]
    jax.config.update("jax_traceback_filtering", "off")
    try:
        yield
    finally:
        jax.config.update("jax_traceback_filtering", before)


HERE = eqm.__file__.removesuffix("__init__.py")


@pytest.mark.parametrize("jit", [False, True])
def test_a_users_error_in_a_collection_shows_no_frame_of_ours(jit):
    tot = cell()
    inner = eqm.MetricDict(tot=tot().from_output("x"), fn=eqm.Average().from_fun(lambda x: x))
    metrics = eqm.MetricDict(inner=inner)
    update = lambda x: metrics.update(x=x)
    update = jax.jit(update) if jit else update
    error = raises(TypeError, lambda: update(jnp.ones((2, 3))), "In the metric `tot`")
    seen = frames(error)
    assert not [f for f in seen if f.startswith(HERE) or "jaxtyping" in f or "beartype" in f]
    names = [f.name for f in traceback.extract_tb(error.__traceback__)]
    assert "update" in names and "helper" in names
    assert "JAX_TRACEBACK_FILTERING=off" in "".join(error.__notes__)
    full = tot().replace(total=5.0)
    error = raises(RuntimeError, lambda: eqm.MetricDict(a=full).compute(), "In the metric `a`")
    assert not [f for f in frames(error) if f.startswith(HERE)]
    with unfiltered():
        error = raises(TypeError, lambda: metrics.update(x=jnp.ones((2, 3))))
        assert len([f for f in frames(error) if f.startswith(HERE)]) > 10


def test_an_error_of_ours_keeps_its_frames():
    metrics = eqm.MetricDict(accuracy=eqm.Accuracy())
    error = raises(TypeError, lambda: metrics.update(logits=jnp.ones(N), labels=LABELS))
    assert frames(error)[-1].startswith(HERE)
    assert "left out" not in "".join(error.__notes__)
