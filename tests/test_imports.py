"""What `import eqmetrics` does: nothing but define."""

import os
import subprocess
import sys

import pytest

import eqmetrics as eqm


def printed(code: str, *args: str, **env: str) -> list[str]:
    """The lines that a fresh process prints."""
    run = subprocess.run(
        [sys.executable, "-c", code, *args],
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.splitlines()


CODE = """
import sys
import equinox
before = set(sys.modules)
import eqmetrics
print({name for name in set(sys.modules) - before if name.startswith("eqmetrics")})
for name in eqmetrics.__all__:
    getattr(eqmetrics, name)
optional = {"sklearn", "scipy", "matplotlib", "optax", "tqdm", "pandas", "torch", "clu", "flax"}
new = set(sys.modules) - before
print({name.split(".")[0] for name in new} & optional)
print({name for name in new if name.startswith("eqmetrics.") and name[10] != "_"})
try:
    eqmetrics.Average()
except RuntimeError:
    print("a first array would have started it")
"""


def test_importing_makes_no_array_starts_no_backend_and_loads_nothing_optional():
    # With a platform that doesn't exist, what starts a backend raises.
    first, *rest = printed(CODE, JAX_PLATFORMS="nowhere")
    assert eval(first) == {"eqmetrics", "eqmetrics._lazy"}
    assert rest == ["set()", "set()", "a first array would have started it"]


def test_a_name_may_be_used_for_the_first_time_while_a_function_is_traced():
    code = (
        "import jax, eqmetrics as eqm\n"
        "names = eqm.__all__ + [x for x in dir(eqm) if x[0] != '_' and x not in eqm.__all__]\n"
        "with jax.checking_leaks():\n"
        "    traced = jax.make_jaxpr(lambda: [getattr(eqm, name) for name in names] and 1.0)()\n"
        "print(len(traced.eqns), sum(name in vars(eqm) for name in names) == len(names))\n"
    )
    assert printed(code) == ["0 True"]


def test_the_shelves_need_no_import_of_their_own():
    code = "import eqmetrics as eqm; print(eqm.testing.check_metric, eqm.plot.roc)"
    (line,) = printed(code)
    assert line.count("<function") == 2


def test_the_names_of_a_stub_are_imported_when_they_are_first_used(tmp_path):
    files = {
        "__init__.py": "from eqmetrics import _lazy\n"
        "__getattr__, __dir__, __all__ = _lazy.imported_at_first_use(__name__)",
        "__init__.pyi": "from . import shelf as shelf\nfrom ._room.two import two as two",
        "_room/__init__.py": "",
        "_room/two.py": "print('two is loaded')\ntwo = 2",
        "shelf/__init__.py": "print('shelf is loaded')\none = 1",
    }
    for name, text in files.items():
        path = tmp_path / "house" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    code = (
        "import sys; sys.path.append(sys.argv[1]); import house\n"
        "print([x for x in dir(house) if x[0] != '_'], house.__all__)\n"
        "print(house.shelf.one, house.shelf.one); print(house.two, house.two)\n"
        "from house import *; print(two, 'shelf' in globals())"
    )
    assert printed(code, str(tmp_path)) == [
        "['shelf', 'two'] ['two']", "shelf is loaded", "1 1", "two is loaded", "2 2", "2 False"
    ]  # fmt: skip


def test_another_name_is_an_error_that_names_it():
    with pytest.raises(AttributeError, match=r"'PSNR'. It is `eqm.image.PSNR`\."):
        _ = eqm.PSNR  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError, match=r"'MSE'. Did you mean `MeanSquaredError`\?"):
        _ = eqm.MSE  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError, match="'eqmetrics' has no attribute 'Acuracy'"):
        _ = eqm.Acuracy  # pyright: ignore[reportAttributeAccessIssue]
