"""What `print` says of metrics, and what paths say."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm


class Typed(eqm.Collection):
    median: eqm.Median
    loss: eqm.Metric


def new():
    return eqm.MetricDict(
        accuracy=eqm.Accuracy(eqm.Multiclass(3)),
        f1=eqm.F1(eqm.Multiclass(3), average=None),
        confusion=eqm.ConfusionMatrix(eqm.Multiclass(3)),
        seen=eqm.Count().from_output("loss"),
        loss=eqm.Average().from_output("loss"),
        squares=eqm.Average().from_fun(lambda loss: loss**2),
        head=eqm.MetricDict(top=eqm.Accuracy().from_output(logits="head_logits")),
    )


def outputs():
    logits = jnp.eye(4, 3)
    labels = jnp.array([0, 1, 2, 2])
    return {"logits": logits, "head_logits": logits, "labels": labels, "loss": jnp.arange(4.0)}


SEEN = """\
MetricDict(
  accuracy=0.75,
  f1=[0.6667, 1, 0.6667],
  confusion=float64[3, 3],
  seen=4 of "loss",
  loss=1.5 of "loss",
  squares=3.5 of "loss",
  head=MetricDict(top=0.75 of "labels" and "head_logits")
)"""
TRACED = """\
MetricDict(
  accuracy=Accuracy,
  f1=F1,
  confusion=ConfusionMatrix,
  seen=Count of "loss",
  loss=Average of "loss",
  squares=Average of "loss",
  head=MetricDict(top=Accuracy of "labels" and "head_logits")
)"""


def test_names_values_and_what_is_read():
    seen = new().update(**outputs())
    assert str(seen) == SEEN
    short = eqm.MetricDict(accuracy=eqm.Accuracy(), loss=eqm.Average().from_output("loss"))
    assert repr(short) == 'MetricDict(accuracy=nan, loss=nan of "loss")'
    typed = Typed(eqm.Median(), eqm.Average().from_output("loss")).update(
        values=jnp.arange(3.0), loss=jnp.ones(2)
    )
    assert str(typed) == 'Typed(median=1, loss=1 of "loss")'
    assert "MetricDict(accuracy=nan" in str(eqx.tree_pformat({"metrics": short, "step": 1}))
    # details, of a member that is asked for
    assert "pairs=f32[2,2]" in str(seen["loss"])


def test_a_count_is_said_with_all_its_digits():
    big = eqm.MetricDict(n=eqm.Sum().add(jnp.array([2.0**40, 3.0])))
    assert str(big) == "MetricDict(n=1099511627779)"


def test_where_there_is_no_value():
    seen, said = new().update(**outputs()), []
    jax.jit(lambda m: said.append(str(m)) or 0)(seen)
    assert said == [TRACED]
    assert str(eqx.filter_eval_shape(lambda: new())) == TRACED
    stacked = jax.tree.map(lambda x: jnp.stack([x] * 8), seen)
    assert str(stacked) == TRACED.replace("=", "=8 stacked ").replace("=8 stacked M", "=M")
    jax.jit(lambda m: m, donate_argnums=0)(seen)
    assert str(seen) == TRACED
    bad = eqm.MetricDict(a=eqm.Median().update(jnp.array([jnp.nan])))
    assert str(bad) == "MetricDict(a=nan (invalid rows))"


def test_an_error_that_shows_the_metric_ends():
    class Wrong(eqm.Metric):
        total: jax.Array = eqm.state(reduce="sum")

        def __init__(self):
            self.total = jnp.zeros(2)

        def update(self, values: jax.Array) -> "Wrong":
            return self

        def compute(self) -> int:
            raise RuntimeError(str(eqm.MetricDict(a=self)))

    assert str(eqm.MetricDict(a=Wrong())) == "MetricDict(a=Wrong)"


def test_paths_carry_the_name_of_the_member():
    metrics = {"train": new()}
    paths = [jax.tree_util.keystr(p) for p, _ in jax.tree_util.tree_leaves_with_path(metrics)]
    # small states lie side by side, and one that several share has the name of its owner
    assert paths == ["['train'].states['confusion+seen+loss+squares+head']"]
    large = {"train": eqm.MetricDict(a=eqm.Sum(), b=eqm.Sum(1025), c=eqm.Sum())}
    paths = [jax.tree_util.keystr(p) for p, _ in jax.tree_util.tree_leaves_with_path(large)]
    assert paths == [
        f"['train'].states{x}" for x in ("['a+c']", "['b'].sums.pairs", "['b'].sums.invalid")
    ]


def test_errors_of_jax_and_of_the_library_name_the_member():
    metrics = new()
    with pytest.raises(Exception, match=r"states\['confusion\+seen\+loss\+squares\+head'\]"):
        jax.lax.scan(
            lambda m, _: (jax.tree.map(lambda x: x.astype(jnp.float16), m), None), metrics, length=2
        )
    with pytest.raises(TypeError, match=r"states\['loss'\]|`Average.total` is float32\[2, 2\]"):
        jax.tree.map(lambda x: jnp.stack([x, x]), eqm.MetricDict(loss=eqm.Average())).compute()


def test_orbax_writes_names(tmp_path):
    checkpoint = pytest.importorskip("orbax.checkpoint")
    seen = new().update(**outputs())
    with checkpoint.StandardCheckpointer() as saver:
        saver.save(tmp_path / "state", seen)
        saver.wait_until_finished()
        back = saver.restore(tmp_path / "state", jax.tree.map(jnp.zeros_like, seen))
        kept = saver.metadata(tmp_path / "state").item_metadata.tree
    assert eqx.tree_equal(seen, back)
    assert list(kept["states"]) == ["confusion+seen+loss+squares+head"]


def test_the_order_of_the_arrays_is_that_of_the_members():
    # and not that of their names: files of eqmetrics 0.1.0 hold them so
    metrics = eqm.MetricDict(z=eqm.Sum(2), a=eqm.Sum(3))
    shapes = [np.shape(x) for state in metrics.states for x in jax.tree.leaves(state)]
    assert shapes == [(2, 2), (2,), (2, 3), (2,)]
    assert eqx.tree_equal(jax.tree.unflatten(*jax.tree.flatten(metrics)[::-1]), metrics)


def test_a_notebook_shows_tables():
    shown = new().update(**outputs())._repr_html_()
    assert shown.count("<tr>") == 8 and "<td>head.top</td><td>0.75" in shown
    assert "<td>seen</td><td>4 of &quot;loss&quot;</td>" in shown
    # Without values the classes are shown, as in text.
    traced = []
    jax.eval_shape(lambda m: traced.append(m._repr_html_()), new())
    assert "<td>accuracy</td><td>Accuracy</td>" in traced[0]


def test_a_notebook_shows_a_report_and_matrices_of_labels():
    report = eqm.ClassificationReport(eqm.Multiclass(2), names=("<cat>", "dog"))
    labels = jnp.array([0, 0, 1])
    shown = report(predicted_labels=jnp.array([0, 1, 1]), labels=labels)._repr_html_()
    assert "<td>&lt;cat&gt;</td><td>1.00</td><td>0.50</td><td>0.67</td><td>2</td>" in shown
    assert "<td>accuracy</td><td></td><td></td><td>0.67</td><td>3</td>" in shown


def test_a_notebook_shows_matrices():
    predicted, labels = jnp.array([0, 1, 1]), jnp.array([0, 0, 1])
    one = eqm.ConfusionMatrix(eqm.Multiclass(2)).update(predicted_labels=predicted, labels=labels)
    shown = one._repr_html_()
    assert shown is not None and "<tr><td>0</td><td>1</td><td>1</td></tr>" in shown
    many = eqm.ConfusionMatrix(eqm.Multilabel(2))._repr_html_()
    assert many is not None and many.count("<table") == 2
    traced = []
    jax.eval_shape(lambda m: traced.append(m._repr_html_()), one)
    assert traced == [None]
