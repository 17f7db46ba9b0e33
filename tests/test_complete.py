"""A public metric has laws, an oracle, an entry in the docs and a docstring that says all.
`python -m tests.test_complete` lists every public name and where it has these."""

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import eqmetrics as eqm

from . import draws, table
from .table import APART, MORE, ROWS, SLOW


TESTS = Path(__file__).parent
PAGES = {p: p.read_text() for p in (TESTS.parent / "docs" / "docs").rglob("*.md")}
PACKAGE = Path(eqm.__file__ or "").parent


def contents_of(space: ModuleType) -> list[str]:
    """The names on the contents page of a package, which is its stub where it has one."""
    page = Path(space.__file__ or "")
    stub = page.with_suffix(".pyi")
    return re.findall(r"\bas (\w+)", (stub if stub.exists() else page).read_text())


def metrics_in(space: ModuleType, start: str = "") -> dict[str, Any]:
    return {
        start + name: x
        for name in contents_of(space)
        if inspect.isclass(x := getattr(space, name))
        and issubclass(x, eqm.Metric)
        and not inspect.isabstract(x)
    }


# By the names that they have after `eqm.`: `Accuracy`, and of a shelf `ranking.NDCG`.
NAMES = contents_of(eqm)
SPACES = [name for name in NAMES if inspect.ismodule(getattr(eqm, name))]
METRICS = metrics_in(eqm)
for space in SPACES:
    METRICS |= metrics_in(getattr(eqm, space), f"{space}.")
# All folders are families, whose pages have tables of their metrics, but the rooms of the machine.
MACHINE = {"_collection", "_host", "_metric", "_onepass", "_reduction", "_rows", "_wrap"}
ROOMS = MACHINE | {"plot", "testing"}
FOLDERS = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
FAMILIES = FOLDERS - ROOMS


def its_test(x: object) -> Path:
    """In the folder of its family, if that has one."""
    _, *folders, file = [part.lstrip("_") for part in getattr(x, "__module__", "").split(".")]
    folder = TESTS.joinpath(*folders)
    return (folder if folder.is_dir() else TESTS) / f"test_{file}.py"


def entry_of(name: str) -> Path | None:
    """The page that has the entry of a public name."""
    entry = re.compile(rf"^::: eqmetrics\.{re.escape(name)}$", re.M)
    return next((page for page, text in PAGES.items() if entry.search(text)), None)


def row_of(name: str) -> Path | None:
    """The page of a family that has it in a table; a statistic, which is read by what stands
    there, anywhere."""
    start = "" if issubclass(METRICS.get(name, object), eqm.AbstractStatistic) else r"^\|.*"
    row = re.compile(rf"{start}\[`?eqmetrics\.{re.escape(name)}`?\]", re.M)
    pages = (page for page in PAGES if page.parent.name == "docs")
    found = (page for page in pages if not page.name.startswith("coming_from"))
    return next((page for page in found if row.search(PAGES[page])), None)


def missing(name: str, cls: type) -> list[str]:
    lacks = []
    if name not in ROWS and name not in APART:
        lacks.append("a row in tests/table.py")
    file = its_test(cls)
    text = file.read_text() if file.exists() else ""
    if name not in text or "@given(" not in text:
        lacks.append(f"an oracle in {file.relative_to(TESTS.parent)}")
    if entry_of(name) is None:
        lacks.append(f"`::: eqmetrics.{name}` in docs/docs")
    if any(part in FAMILIES for part in cls.__module__.split(".")) and row_of(name) is None:
        lacks.append("a row in a table of its family's page")
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


def test_the_table_is_that_of_all_families(monkeypatch):
    whole = {"ROWS": {"Sum": table.ROWS["Sum"]}, "SLOW": {"AUROC"}, "MORE": set(), "APART": set()}
    for name, x in whole.items():
        monkeypatch.setattr(table, name, x)
    family = ModuleType("tests.ranking.table")
    vars(family).update(ROWS={"ranking.NDCG": table.ROWS["Sum"]}, SLOW={"ranking.NDCG"})
    table.add([family])
    assert list(table.ROWS) == ["Sum", "ranking.NDCG"] and table.SLOW == {"AUROC", "ranking.NDCG"}
    with pytest.raises(ValueError, match="ranking.table: rows of another table: ranking.NDCG"):
        table.add([family])


def test_a_table_in_a_folder_of_tests_is_found(tmp_path, monkeypatch):
    (tmp_path / "of_a_family").mkdir()
    (tmp_path / "of_a_family" / "table.py").write_text("from ..draws import SIZES\nROWS = {}\n")
    package = ModuleType("elsewhere")
    package.__path__ = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, "elsewhere", package)
    monkeypatch.setitem(sys.modules, "elsewhere.draws", draws)
    monkeypatch.setattr(table, "__package__", "elsewhere")
    monkeypatch.setattr(table, "__file__", str(tmp_path / "table.py"))
    (found,) = table.families()
    assert found.__name__ == "elsewhere.of_a_family.table" and found.SIZES == draws.SIZES


PUBLIC = [name for name in NAMES if name not in SPACES]


def test_a_public_name_has_an_entry_and_a_docstring():
    lacks = {
        name: [
            *["an entry in docs/docs/api"] * (entry_of(name) is None),
            *["a docstring"] * (not inspect.getdoc(getattr(eqm, name))),
        ]
        for name in PUBLIC
    }
    assert {name: x for name, x in lacks.items() if x} == {}
    assert [name for name in vars(eqm)["__all__"] if name not in PUBLIC] == []


def test_a_shelf_has_a_line_and_a_folder():
    assert {name for name in FOLDERS if name[0] != "_"} == set(SPACES)
    assert ROOMS <= FOLDERS


@pytest.mark.parametrize("space", SPACES)
def test_a_name_of_a_sub_namespace_has_an_entry_and_a_docstring(space):
    module = getattr(eqm, space)
    names = contents_of(module)
    assert names
    assert [x for x in names if entry_of(f"{space}.{x}") is None] == []
    assert [x for x in names if not inspect.getdoc(getattr(module, x))] == []


def inventory() -> list[tuple[str, ...]]:
    """Of every public name: its file, its law, its test, its entry, and its row."""
    rows = []
    for name in sorted({*PUBLIC, *METRICS}):
        x = METRICS.get(name) or getattr(eqm, name)
        page = lambda p: p.relative_to(TESTS.parent / "docs" / "docs").as_posix() if p else "-"
        file = (getattr(x, "__module__", None) or type(x).__module__).replace(".", "/")
        test, metric = its_test(x), name in METRICS
        law = "apart" if name in APART else "slow" if name in SLOW else "yes"
        rows.append(
            (
                name,
                f"{file}.py",
                law if metric else "",
                str(test.relative_to(TESTS)) if test.exists() else "-",
                page(entry_of(name)),
                page(row_of(name)) if metric else "",
                ", ".join(missing(name, x)) if metric else "",
            )
        )
    return rows


if __name__ == "__main__":
    head = "name", "file", "laws", "test", "entry", "row", "missing"
    for row in [head, *inventory()]:
        print("".join(f"{x:<{w}}" for x, w in zip(row, (30, 48, 6, 34, 24, 22, 0), strict=True)))
