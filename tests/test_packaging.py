"""What the wheel and the sdist hold."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import eqmetrics as eqm


ROOT = Path(__file__).parents[1]


def test_wheel_and_sdist(tmp_path):
    for target in ("wheel", "sdist"):
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(tmp_path)],
            cwd=ROOT,
            check=True,
        )
    (wheel,) = tmp_path.glob(f"eqmetrics-{eqm.__version__}-*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(p.relative_to(ROOT)) for p in (ROOT / "eqmetrics").rglob("*.py")}
    assert modules | {"eqmetrics/py.typed"} <= inside
    assert {name.split("/")[0] for name in inside} == {
        "eqmetrics",
        f"eqmetrics-{eqm.__version__}.dist-info",
    }
    assert any(name.endswith("licenses/LICENSE") for name in inside)
    (sdist,) = tmp_path.glob("*.tar.gz")
    kept = {name.split("/", 1)[-1] for name in tarfile.open(sdist).getnames()}
    assert modules | {"README.md", "LICENSE", "noxfile.py", "pyproject.toml"} <= kept
