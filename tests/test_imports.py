"""What `import eqmetrics` does: nothing but define."""

import os
import subprocess
import sys

import pytest

import eqmetrics as eqm


CODE = """
import sys
import equinox
before = set(sys.modules)
import eqmetrics
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
    run = subprocess.run(
        [sys.executable, "-c", CODE],
        env=os.environ | {"JAX_PLATFORMS": "nowhere"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.splitlines() == ["set()", "set()", "a first array would have started it"]


def test_the_sub_namespaces_need_no_import_of_their_own():
    code = "import eqmetrics as eqm; print(eqm.testing.check_metric, eqm.plot.roc)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.count("<function") == 2


def test_a_folder_is_a_shelf_that_is_loaded_at_first_use(tmp_path):
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "__init__.py").write_text("from ._one import one as one")
    (tmp_path / "shelf" / "_one.py").write_text("print('loaded')\none = 1")
    (tmp_path / "_hidden").mkdir()
    (tmp_path / "_hidden" / "__init__.py").write_text("")
    code = (
        "import sys, eqmetrics as eqm\n"
        "eqm.__path__.append(sys.argv[1])\n"
        "print('shelf' in dir(eqm), '_hidden' in dir(eqm), 'eqmetrics.shelf' in sys.modules)\n"
        "print(eqm.shelf.one, eqm.shelf.one)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == ["True False False", "loaded", "1 1"]


def test_another_name_is_an_error_that_names_it():
    with pytest.raises(AttributeError, match=r"'PSNR'. It is `eqm.image.PSNR`\."):
        _ = eqm.PSNR  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError, match=r"'MSE'. Did you mean `MeanSquaredError`\?"):
        _ = eqm.MSE  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError, match="'eqmetrics' has no attribute 'Acuracy'"):
        _ = eqm.Acuracy  # pyright: ignore[reportAttributeAccessIssue]
