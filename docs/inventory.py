"""The pages "All metrics" and "Metrics of other libraries": from the code and from `peers.toml`.

A hook of mkdocs, which `tests/test_inventory.py` reads as well. `python docs/inventory.py` says
which public names of the libraries that are installed here `peers.toml` lacks; with `metrics` or
`peers` it prints a table.
"""

import ast
import functools as ft
import importlib.util
import inspect
import re
import sys
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import eqmetrics as eqm


PEERS = Path(__file__).with_name("peers.toml")
FLAT = "Names in `eqm` itself"
ESTIMATES = {"Distinct", "Reservoir"}  # of all rows; their docstrings say how good
INSIDE = "those of its metric"
# What they hold takes another metric's, and they don't.
TOLD = {
    "Buffer": "the columns that it names",
    "Collect": "the outputs that it names",
    "GroupFairness": "`labels`, `logits`, `probabilities`, `predicted_labels`, `group`, `weights`",
    "StandardError": "`values`, `cluster`, `weights`",
    "rl.StratifiedBootstrap": "`scores`",
}


# ---- What is here


def contents(space: ModuleType, start: str = "") -> dict[str, Any]:
    """The names on the contents page of a package, which is its stub where it has one, without the
    shelves."""
    page = Path(space.__file__ or "")
    stub = page.with_suffix(".pyi")
    names = re.findall(r"\bas (\w+)", (stub if stub.exists() else page).read_text())
    found = {start + name: getattr(space, name) for name in names}
    return {name: x for name, x in found.items() if not inspect.ismodule(x)}


def shelves() -> dict[str, ModuleType]:
    folders = sorted(Path(eqm.__file__ or "").parent.glob("[!_]*/__init__.py"))
    return {path.parent.name: getattr(eqm, path.parent.name) for path in folders}


@ft.cache
def public() -> dict[str, Any]:
    """Every public name, as it is written after `eqm.`."""
    found = contents(eqm)
    for name, module in shelves().items():
        found |= contents(module, f"{name}.")
    return found


def is_metric(x: Any) -> bool:
    return inspect.isclass(x) and issubclass(x, eqm.Metric) and not inspect.isabstract(x)


def of_shelves() -> dict[str, dict[str, Any]]:
    """The metrics of each shelf; those whose names are flat come first."""
    found: dict[str, dict[str, Any]] = {FLAT: {}}
    for name, x in public().items():
        if is_metric(x):
            found.setdefault(name.partition(".")[0] if "." in name else FLAT, {})[name] = x
    return found


def statistics_of(cls: type) -> list[type]:
    """What a readout reads, one of them: by its annotation, or else as its docstring says."""
    if not issubclass(cls, eqm.AbstractReadout):
        return []
    hint = typing.get_type_hints(cls)["statistic"]
    found = [x for x in typing.get_args(hint) or (hint,) if is_metric(x)]
    known = public()
    told = re.findall(r"\[`eqmetrics\.([\w.]+)`\]", state(cls))
    return found + [known[name] for name in told if known[name] not in found]


def takes(cls: Any) -> list[str]:
    """The outputs that it takes, `INSIDE` first if it hands on what another metric takes."""
    every = list(inspect.signature(cls.update).parameters.values())[1:]
    own = [p.name for p in every if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if len(own) == len(every):
        return own
    statistics = statistics_of(cls)
    inside = takes(statistics[0]) if statistics else [INSIDE]
    return inside + own


def state(cls: Any) -> str:
    """What its docstring says of it."""
    text = " ".join((cls.__dict__.get("__doc__") or "").split())
    found = re.search(r"State: (.*?)[.;]? (?=Undefined when)", text)
    return found[1] if found else ""


def kind(cls: Any) -> str:
    """How near the value is to that of all rows."""
    if issubclass(cls, eqm.AbstractBounded):
        return "bounded"
    if cls.__name__ in ESTIMATES:
        return "estimate"
    read = [cls, *statistics_of(cls)]
    if any(x in (eqm.ScoreHistogram, eqm.QuantileSketch) for x in read):
        return "in cells"
    if any("capacity" in state(x) for x in read):
        return "exact up to a capacity"
    return "as its metric" if INSIDE in takes(cls) else "exact"


# ---- What the others have


def peers() -> dict[str, dict[str, Any]]:
    return tomllib.loads(PEERS.read_text())


def marks(peer: dict[str, Any]) -> Iterator[tuple[str, list[str], str]]:
    """The mark, the names of theirs, and what there is here."""
    for mark in ("here", "recipe", "not"):
        for theirs, ours in peer.get(mark, {}).items():
            yield mark, theirs.split(), ours


def ours_of(text: str) -> list[str]:
    """The names of ours that an entry says are here."""
    return [name.strip() for name in text.split(",")]


def _short(names: list[str]) -> list[str]:
    """Without the forms of a name for one task."""
    every = set(names)
    task = re.compile("Binary|Multiclass|Multilabel")
    return [x for x in names if not task.match(x) or task.sub("", x, count=1) not in every]


def elsewhere() -> dict[str, list[tuple[str, list[str]]]]:
    """The names that others have for each of ours."""
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for library, peer in peers().items():
        names: dict[str, list[str]] = {}
        for mark, theirs, ours in marks(peer):
            if mark == "here":
                for name in ours_of(ours):
                    names.setdefault(name, []).extend(_short(theirs))
        for name, theirs in names.items():
            found.setdefault(name, []).append((library, list(dict.fromkeys(theirs))))
    return found


# ---- The pages


def _link(name: str) -> str:
    return f"[`{name}`][eqmetrics.{name}]"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _takes(name: str, cls: Any) -> str:
    if name in TOLD:
        return TOLD[name]
    names = takes(cls)
    shown = [x if x == INSIDE else f"`{x}`" for x in names if x != "mask"]
    return ", ".join(shown) + ("" if "mask" in names or INSIDE in names else "; no `mask`")


def metrics_table() -> str:
    families = {shelf: metrics for shelf, metrics in of_shelves().items() if metrics}
    links = [f"[`eqm.{shelf}`](#eqm{shelf})" for shelf in families if shelf != FLAT]
    others, parts = elsewhere(), [" ".join(links), ""]
    for shelf, metrics in families.items():
        title = shelf if shelf == FLAT else f"`eqm.{shelf}`"
        parts += [f"## {title}", "", "| metric | arguments | state | value | other libraries |"]
        parts += ["|---|---|---|---|---|"]
        for name, cls in sorted(metrics.items(), key=lambda x: x[0].lower()):
            names = "; ".join(
                f"{library}: {', '.join(f'`{x}`' for x in theirs)}"
                for library, theirs in others.get(name, [])
            )
            kept = re.sub(r"\[`eqmetrics\.([\w.]+)`\]\[\]", lambda x: _link(x[1]), state(cls))
            cells = _link(name), _takes(name, cls), kept, kind(cls), names
            parts.append(f"| {' | '.join(map(_cell, cells))} |")
        parts.append("")
    return "\n".join(parts)


def _linked(text: str, known: dict[str, Any]) -> str:
    """With links at the names of ours."""
    return re.sub(r"`([\w.]+)`", lambda x: _link(x[1]) if x[1] in known else x[0], text)


def peers_table() -> str:
    known, parts = public(), []
    for library, peer in peers().items():
        rows = sorted(marks(peer), key=lambda row: row[1][0].lower())
        count = {mark: 0 for mark in ("here", "recipe", "not")}
        lines = []
        for mark, theirs, ours in rows:
            here = mark == "here"
            text = ", ".join(map(_link, ours_of(ours))) if here else _linked(ours, known)
            count[mark] += len(theirs)
            names = ", ".join(f"`{x}`" for x in theirs)
            lines.append(f"| {names} | {mark} | {_cell(text)} |")
        total = ", ".join(f"{n} {word}" for word, n in count.items())
        parts += [f"## {library} {peer['version']}", "", f"{peer['what']}: {total}.", ""]
        parts += ["| theirs | | ours |", "|---|---|---|", *lines, ""]
    return "\n".join(parts)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """What mkdocs calls for each page."""
    for mark, table in (("metrics", metrics_table), ("peers", peers_table)):
        place = f"<!-- inventory: {mark} -->"
        if place in markdown:
            markdown = markdown.replace(place, table())
    return markdown


# ---- The lists of the others, read without importing them


MODULES = {
    "torchmetrics": [
        f"{x}__init__.py"
        for x in (
            *("", "classification/", "regression/", "audio/", "clustering/", "detection/"),
            *("image/", "multimodal/", "nominal/", "retrieval/", "segmentation/", "shape/"),
            *("text/", "video/", "wrappers/"),
        )
    ],
    "torcheval": ["metrics/__init__.py"],
    "keras": ["metrics/__init__.py"],
    "metrax": ["__init__.py"],
    "clu": ["metrics.py"],
    "scikit-learn": ["metrics/__init__.py", "metrics/cluster/__init__.py"],
}
IMPORTED = {"scikit-learn": "sklearn"}


def names_in(source: str) -> set[str]:
    """`__all__`, or else the names that a module imports or defines."""
    tree = ast.parse(source)
    listed: set[str] = set()
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(getattr(x, "id", None) == "__all__" for x in targets):
            words = [x for x in ast.walk(node) if isinstance(x, ast.Constant)]
            listed |= {x.value for x in words if isinstance(x.value, str)}
    if listed:
        return listed
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            listed |= {x.name for x in node.names if x.asname == x.name}
        elif isinstance(node, ast.ClassDef):
            listed.add(node.name)
    return {x for x in listed if x[0] != "_"}


def names_of(library: str) -> set[str] | None:
    """All its public names; `None` if it isn't installed."""
    spec = importlib.util.find_spec(IMPORTED.get(library, library))
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    return {name for x in MODULES[library] for name in names_in((root / x).read_text())}


def lacking(library: str) -> set[str]:
    """The public names that the table doesn't have."""
    known = {name for _, theirs, _ in marks(peers()[library]) for name in theirs}
    return (names_of(library) or set()) - known


if __name__ == "__main__":
    tables = {"metrics": metrics_table, "peers": peers_table}
    for name in sys.argv[1:]:
        sys.stdout.write(tables[name]())
    for library in peers() if not sys.argv[1:] else ():
        if names_of(library) is None:
            sys.stdout.write(f"{library}: not installed\n")
        else:
            sys.stdout.write(f"{library}: {', '.join(sorted(lacking(library))) or 'all'}\n")
