"""What `import eqmetrics` does: nothing but define."""

import os
import subprocess
import sys


CODE = """
import sys
import equinox
before = set(sys.modules)
import eqmetrics
optional = {"sklearn", "scipy", "matplotlib", "optax", "tqdm", "pandas", "torch", "clu", "flax"}
print({name.split(".")[0] for name in set(sys.modules) - before} & optional)
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
    assert run.stdout.splitlines() == ["set()", "a first array would have started it"]
