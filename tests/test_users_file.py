"""A metric in a file of its own, as a user writes it (`users_metric.py`; pyright, which runs
over `tests/`, passes it): every mistake is an error that says where, what came and what was
expected."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import eqmetrics as eqm

from .users_metric import ColumnMean


FILE = Path(__file__).parent / "users_metric.py"
ROOT = Path(__file__).parents[1]


def with_mistake(folder: Path, good: str, bad: str) -> Any:
    """The user's file with a mistake in it."""
    source = FILE.read_text()
    assert source.count(good) == 1
    path = folder / "mistaken.py"
    path.write_text(source.replace(good, bad))
    spec = importlib.util.spec_from_file_location("mistaken", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ColumnMean


def told(error: Any, *words: str) -> None:
    for word in words:
        assert word in str(error.value), (word, str(error.value))


def test_a_good_metric():
    x: Any = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
    got = ColumnMean(2).update(x[:3]).merge(ColumnMean(2).update(x[3:])).compute()
    np.testing.assert_allclose(got, x.mean(0), rtol=1e-6)
    assert len([line for line in FILE.read_text().splitlines() if line.strip()]) <= 25
    assert "\n@" not in FILE.read_text()


def test_a_wrong_field_shape(tmp_path):
    wrong = with_mistake(tmp_path, "jnp.zeros(columns)", "jnp.zeros(columns + 1)")
    with pytest.raises(TypeError) as error:
        wrong(2)
    told(error, "ColumnMean", "total", "f32[3]", "{self.columns}")


def test_a_float_field_where_an_int_belongs(tmp_path):
    wrong = with_mistake(tmp_path, "jnp.zeros((), jnp.int32)", "jnp.zeros(())")
    with pytest.raises(TypeError) as error:
        wrong(2)
    told(error, "ColumnMean", "count", "f32[]", "Int[")


def test_a_float_update_where_an_int_belongs(tmp_path):
    wrong = with_mistake(tmp_path, "count=self.count +", "count=self.count + 0.5 *")
    with pytest.raises(TypeError) as error:
        wrong(2).update(jnp.ones((4, 2)))
    told(error, "ColumnMean", "`count` is float32[], expected int32[]")


def test_a_wrong_state_shape_in_update(tmp_path):
    wrong = with_mistake(tmp_path, "total=total,", "total=total[None],")
    with pytest.raises(TypeError) as error:
        wrong(2).update(jnp.ones((4, 2)))
    told(error, "ColumnMean", "`total` is float32[1, 2], expected float32[2]")


def test_a_wrong_result_shape(tmp_path):
    wrong = with_mistake(tmp_path, "return self.total / self.count", "return self.total.sum()")
    with pytest.raises(TypeError) as error:
        wrong(2).update(jnp.ones((4, 2))).compute()
    told(error, "ColumnMean.compute", "f32[]", "{self.columns}")


@pytest.mark.parametrize(
    ("values", "came"),
    [(jnp.ones((4, 3)), "f32[4,3]"), (jnp.ones(4), "f32[4]"), (jnp.ones((4, 2), int), "i32[4,2]")],
)
def test_a_wrong_argument(values, came):
    with pytest.raises(TypeError) as error:
        ColumnMean(2).update(values)
    told(error, "ColumnMean.update", "'values'", came, "rows {self.columns}")


def test_a_wrong_argument_name():
    with pytest.raises(TypeError, match="Metric `m` .ColumnMean. needs `values`.*`value`"):
        eqm.MetricDict(m=ColumnMean(2)).update(value=jnp.ones((4, 2)))


def test_a_merge_of_different_configurations():
    with pytest.raises(ValueError) as error:
        ColumnMean(2).merge(ColumnMean(3))
    told(error, "`ColumnMean`", "`columns` is 2 here and 3 there")
    with pytest.raises(TypeError, match="Cannot merge `ColumnMean` with `Average`"):
        ColumnMean(2).merge(eqm.Average())


def test_an_unknown_name_in_replace():
    with pytest.raises(TypeError) as error:
        ColumnMean(2).replace(totals=jnp.zeros(2))
    told(error, "`ColumnMean` has no field `totals`", "columns, total, count", "mean `total`")


class Holder(eqm.Metric):
    """Holds the user's metric."""

    inner: ColumnMean

    def __init__(self):
        self.inner = ColumnMean(2)

    def update(self, values: Any) -> Self:
        return self.replace(inner=self.inner.update(values))

    def compute(self) -> Any:
        return self.inner.total


@pytest.mark.parametrize("devices", [2, 8])
@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda: ColumnMean(2), "`ColumnMean.total` is float32[{}, 2]"),
        (Holder, "`Holder.inner.total` is float32[{}, 2]"),
        (lambda: eqm.MetricDict(a=ColumnMean(2)), "total` is float32[{}, 2]"),
    ],
    ids=["alone", "nested", "in a dict"],
)
def test_a_stacked_state(devices, make, where):
    x = jnp.arange(8.0 * devices).reshape(devices, 4, 2)
    update = lambda x: make().update(values=x)
    for stacked in (
        jax.vmap(update)(x),
        jax.pmap(update, devices=jax.devices()[:devices])(x),
    ):
        for use in (
            lambda s: s.compute(),
            lambda s: s.merge(s),
            lambda s: make().merge(s),
            lambda s: s.update(values=x[0]),
        ):
            with pytest.raises(TypeError) as error:
                use(stacked)
            where_n = where.format(devices)
            told(error, where_n, "built as float32[2]", f"leading axis of {devices}", "unreplicate")
        one = make().update(values=x.reshape(-1, 2))
        np.testing.assert_array_equal(
            jax.tree.leaves(stacked.reduce().compute()), jax.tree.leaves(one.compute())
        )


def run(code: str, folder: Path, **env: str) -> str:
    path = os.pathsep.join([str(ROOT), str(folder), str(FILE.parent)])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": path, "JAX_PLATFORMS": "cpu"} | env,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


USES_IT = """
import jax, jax.numpy as jnp
x = jnp.array([[1.0, 2.0], [3.0, 4.0]])
assert ColumnMean(2)(x).tolist() == [2.0, 3.0]
assert jax.jit(lambda m, x: m.update(x))(ColumnMean(2), x).compute().tolist() == [2.0, 3.0]
try:
    ColumnMean(2).update(jnp.ones((2, 1)))  # of one column, which would be broadcast
except TypeError as error:
    print("told", "values" in str(error))
else:
    print("not told")
try:
    jax.vmap(ColumnMean(2).update)(x[None]).compute()
except TypeError as error:
    print("leading axis of 1" in str(error))
"""


@pytest.mark.parametrize(("off", "said"), [("0", "told True"), ("1", "not told")])
def test_with_the_checks_switched_off(tmp_path, off, said):
    code = "from users_metric import ColumnMean" + USES_IT
    assert run(code, tmp_path, JAXTYPING_DISABLE=off).splitlines() == [said, "True"]


def test_beside_the_users_own_import_hook(tmp_path):
    package = tmp_path / "users_package"
    package.mkdir()
    (package / "__init__.py").touch()
    # The hook rejects `-> Self`, on a plain `eqx.Module` too: the class's name works.
    source = FILE.read_text().replace("-> Self", '-> "ColumnMean"')
    (package / "metric.py").write_text(source)
    code = (
        "import jaxtyping\n"
        'with jaxtyping.install_import_hook("users_package", "beartype.beartype"):\n'
        "    from users_package.metric import ColumnMean" + USES_IT
    )
    assert run(code, tmp_path).splitlines() == ["told True", "True"]
