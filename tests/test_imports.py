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
print(new & {"eqmetrics.plot", "eqmetrics.testing"})
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


def test_another_name_is_an_error_that_names_it():
    with pytest.raises(AttributeError, match="'eqmetrics' has no attribute 'Acuracy'"):
        _ = eqm.Acuracy  # pyright: ignore[reportAttributeAccessIssue]
