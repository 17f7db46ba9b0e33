"""The pages "All metrics" and "Metrics of other libraries" say what the code says."""

import importlib.util
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from eqmetrics._collection.route import arguments_of

from .table import ROWS
from .test_complete import METRICS


DOCS = Path(__file__).parents[1] / "docs"


def load() -> Any:
    """The hook of mkdocs, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("inventory", DOCS / "inventory.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


inventory = load()
PEERS = inventory.peers()


def cells(line: str) -> list[str]:
    return [x.strip() for x in re.split(r"(?<!\\)\|", line)[1:-1]]


def rows(table: str) -> dict[str, list[str]]:
    """The rows of a page's tables, by the first name in them."""
    lines = [cells(line) for line in table.splitlines() if line.startswith(("| [", "| `"))]
    return {re.findall(r"`([^`]+)`", line[0])[0]: line for line in lines}


def test_all_metrics_are_on_the_page():
    page = rows(inventory.metrics_table())
    assert page.keys() == METRICS.keys()
    assert [name for name, line in page.items() if len(line) != 5 or "" in line[:4]] == []


def test_a_metric_takes_what_the_page_says():
    for name, cls in METRICS.items():
        said = inventory.takes(cls)
        if name in ROWS and name not in inventory.TOLD and inventory.INSIDE not in said:
            assert said == list(arguments_of(ROWS[name][0])), name
    assert inventory.TOLD.keys() <= METRICS.keys()
    assert inventory.ESTIMATES <= {cls.__name__ for cls in METRICS.values()}


def test_kinds_of_values():
    kinds = {name: inventory.kind(cls) for name, cls in METRICS.items()}
    some = {
        "Accuracy": "exact",
        "AUROC": "bounded",
        "PrecisionAtRecall": "in cells",
        "Kendall": "exact up to a capacity",
        "Distinct": "estimate",
        "Windowed": "as its metric",
    }
    assert some.items() <= kinds.items()


def named(peers: dict[str, Any]) -> list[str]:
    """What is wrong with the names of ours in a table of peers."""
    known = inventory.public()
    wrong = []
    for library, peer in peers.items():
        for mark, theirs, ours in inventory.marks(peer):
            if mark == "here":
                found = [x for x in inventory.ours_of(ours) if x not in known]
                wrong += [f"{library} {theirs[0]}: {x}" for x in found]
    return wrong


def test_what_is_here_is_here():
    assert named(PEERS) == []


def test_what_is_not_here_is_found():
    wrong = {"x": {"here": {"A": "F1, Nothing", "B": "clustering.Never"}, "not": {"C": "no"}}}
    assert named(wrong) == ["x A: Nothing", "x B: clustering.Never"]


def test_a_name_of_theirs_stands_once_with_a_reason():
    for peer in PEERS.values():
        entries = list(inventory.marks(peer))
        names = [name for _, theirs, _ in entries for name in theirs]
        assert len(names) == len(set(names))
        assert all(ours for _, _, ours in entries)
        # Names in backticks that look like ours are ours.
        recipes = [ours for mark, _, ours in entries if mark in ("recipe", "not")]
        told = {x for ours in recipes for x in re.findall(r"`((?:[a-z]+\.)?[A-Z]\w+)`", ours)}
        assert told <= inventory.public().keys()


@pytest.mark.parametrize("library", PEERS)
def test_every_public_name_of_theirs_is_in_the_table(library):
    """Of those that are installed, scikit-learn always, in a version that the table knows."""
    installed = inventory.names_of(library)
    assert installed or library != "scikit-learn"
    if installed and version(library) <= tuple(map(int, PEERS[library]["version"].split("."))):
        assert inventory.lacking(library) == set()


def version(library: str) -> tuple[int, ...]:
    text = metadata.version({"metrax": "google-metrax"}.get(library, library))
    return tuple(int(x) for x in re.findall(r"\d+", text)[:3])


def test_the_pages_have_the_tables():
    for page, name in (("all_metrics", "`eqm.ranking`"), ("all_peers", "scikit-learn")):
        text = (DOCS / "docs" / f"{page}.md").read_text()
        made = inventory.on_page_markdown(text)
        assert "inventory:" in text and "inventory:" not in made and f"## {name}" in made
    assert "\n  - inventory.py\n" in (DOCS / "mkdocs.yml").read_text()
    assert inventory.on_page_markdown("# Another") == "# Another"


def test_names_are_read_without_an_import(tmp_path, monkeypatch):
    (tmp_path / "clu").mkdir()
    (tmp_path / "clu" / "__init__.py").write_text("raise ImportError")
    (tmp_path / "clu" / "metrics.py").write_text(
        "class Metric: ...\nclass _Own: ...\n\nclass New: ..."
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in [x for x in sys.modules if x.partition(".")[0] == "clu"]:
        monkeypatch.delitem(sys.modules, name)
    assert inventory.lacking("clu") == {"New"}
    assert inventory.names_in("__all__ = ['a']\n__all__ += ['B']") == {"a", "B"}
