"""A public metric has laws, an oracle, an entry in the docs and a docstring that says all."""

import inspect
from pathlib import Path

import pytest

import eqmetrics as eqm

from .table import APART, MORE, ROWS


TESTS = Path(__file__).parent
DOCS = [p.read_text() for p in (TESTS.parent / "docs" / "docs").rglob("*.md")]
METRICS = {
    name: x
    for name, x in vars(eqm).items()
    if inspect.isclass(x) and issubclass(x, eqm.Metric) and not inspect.isabstract(x)
}


def missing(name: str, cls: type) -> list[str]:
    lacks = []
    if name not in ROWS and name not in APART:
        lacks.append("a row in tests/table.py")
    file = TESTS / f"test_{cls.__module__.split('.')[-1].lstrip('_')}.py"
    text = file.read_text() if file.exists() else ""
    if name not in text or "@given(" not in text:
        lacks.append(f"an oracle in tests/{file.name}")
    if not any(f"::: eqmetrics.{name}\n" in page + "\n" for page in DOCS):
        lacks.append(f"`::: eqmetrics.{name}` in docs/docs")
    sections = ["State:", "Undefined when", "!!! example"]
    # `from_output` and `from_fun` make these two.
    if name not in ("FromOutput", "FromFun") and takes_arguments(cls):
        sections.append("**Arguments:**")
    doc = cls.__dict__.get("__doc__") or ""
    return lacks + [f"{section!r} in its docstring" for section in sections if section not in doc]


def takes_arguments(cls: type) -> bool:
    return "__init__" in cls.__dict__ and len(inspect.signature(cls).parameters) > 0


@pytest.mark.parametrize("name", METRICS)
def test_a_public_metric_is_complete(name):
    assert missing(name, METRICS[name]) == []


def test_what_is_missing_is_told():
    class Bare(eqm.Metric):
        def __init__(self, size: int):
            pass

    assert missing("Bare", Bare) == [
        "a row in tests/table.py",
        "an oracle in tests/test_test_complete.py",
        "`::: eqmetrics.Bare` in docs/docs",
        "'State:' in its docstring",
        "'Undefined when' in its docstring",
        "'!!! example' in its docstring",
        "'**Arguments:**' in its docstring",
    ]


def test_no_row_of_the_table_is_left_over():
    assert ROWS.keys() - MORE | APART == METRICS.keys()
