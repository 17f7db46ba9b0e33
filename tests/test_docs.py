"""Every snippet of the README, the pages and the docstrings is run, and prints what it says.

The ```python blocks of a page run from top to bottom in one namespace, as a reader would type
them; a docstring's stand alone. A ```text block right after one is what it prints, or the
error that it ends with; `...` stands for any text. A block with a title is a file beside the
page: modules can be imported by what follows, and pytest runs a `test_*.py`.
"""

import contextlib
import doctest
import inspect
import io
import pkgutil
import re
import subprocess
import sys
import textwrap
import types
from pathlib import Path
from typing import NamedTuple

import pytest

import eqmetrics as eqm


ROOT = Path(__file__).parents[1]
SITE = ROOT / "docs" / "docs"
PAGES = [ROOT / "README.md", *sorted(SITE.rglob("*.md"))]
BLOCK = re.compile(
    r'^( *)```python(?: title="(?P<title>[\w.]+)")?\n(?P<code>.*?)^ *```$'
    r"(?:\n+ *```text\n(?P<output>.*?)^ *```$)?",
    re.S | re.M,
)
LIKE_DOCTEST = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Block(NamedTuple):
    title: str | None
    code: str
    output: str | None
    line: int


def blocks(text: str) -> list[Block]:
    return [
        Block(
            found["title"],
            textwrap.dedent(found["code"]),
            textwrap.dedent(found["output"]) if found["output"] else None,
            text[: found.start("code")].count("\n"),
        )
        for found in BLOCK.finditer(text)
    ]


def run_block(block: Block, source: str, namespace: dict) -> None:
    # Blank lines first, so that a traceback points to the line of the page.
    code = compile("\n" * block.line + block.code, source, "exec")
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(code, namespace)
    except Exception as error:
        if block.output is None:
            raise
        printed.write(f"{type(error).__name__}: {error}\n")
    got = printed.getvalue()
    if block.output is not None:
        equal = doctest.OutputChecker().check_output(block.output, got, LIKE_DOCTEST)
        where = f"{source}:{block.line + 1}"
        assert equal, f"{where} printed\n\n{got}\nand the page says\n\n{block.output}"


def run_page(text: str, source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType(f"page_{Path(source).stem}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(folder)  # pages write files
    tests = []
    for block in blocks(text):
        if block.title is None:
            run_block(block, source, vars(module))
        else:
            (folder / block.title).write_text(block.code)
            monkeypatch.delitem(sys.modules, block.title.removesuffix(".py"), raising=False)
            tests += [block.title] * block.title.startswith("test_")
    if tests:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
        subprocess.run(command, cwd=folder, check=True, timeout=300)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_page(page, tmp_path, monkeypatch):
    text = page.read_text()
    assert text.count("```python") == len(blocks(text)), "a block that this test doesn't see"
    run_page(text, str(page), tmp_path, monkeypatch)


def public() -> dict[str, object]:
    """The contents page of the package, and what its public modules define."""
    assert eqm.__file__ is not None
    names = re.findall(r"\bas (\w+)", Path(eqm.__file__).with_suffix(".pyi").read_text())
    every = {f"eqmetrics.{name}": getattr(eqm, name) for name in names}
    found = {name: x for name, x in every.items() if not inspect.ismodule(x)}
    for module in filter(inspect.ismodule, every.values()):
        for name, x in vars(module).items():
            if getattr(x, "__module__", "").startswith(module.__name__) and name[0] != "_":
                found[f"{module.__name__}.{name}"] = x
    return found


def docstrings() -> dict[str, str]:
    """The docstrings with a snippet, of public names and of their own methods."""
    owners = public()
    for name, x in public().items():
        if inspect.isclass(x):
            methods = {k: v for k, v in vars(x).items() if not k.startswith("_")}
            owners |= {f"{name}.{k}": getattr(x, k) for k in methods}
    texts = {name: getattr(x, "__doc__", None) or "" for name, x in owners.items()}
    return {name: text for name, text in texts.items() if "```python" in text}


@pytest.mark.parametrize("name", docstrings())
def test_docstring(name, tmp_path, monkeypatch):
    run_page(docstrings()[name], name, tmp_path, monkeypatch)


def test_every_public_name_has_one_entry():
    text = "\n".join(page.read_text() for page in PAGES)
    entries = re.findall(r"^::: ([\w.]+)$", text, re.M)
    assert sorted(entries) == sorted(public())


def test_the_checker_sees_a_wrong_page(tmp_path, monkeypatch):
    block = "```python\n{}\n```\n"
    wrong = {
        "an error": block.format("1 / 0"),
        "another output": block.format("print(1)") + "\n```text\n2\n```\n",
        "another error": block.format("1 / 0") + "\n```text\nZeroDivisionError: no\n```\n",
        "no error": block.format("1") + "\n```text\nZeroDivisionError: ...\n```\n",
    }
    for what, text in wrong.items():
        with pytest.raises((ZeroDivisionError, AssertionError)):
            run_page(text, what, tmp_path, monkeypatch)
            raise RuntimeError(what)
    right = block.format("x = 1") + block.format("print(x)\nx / 0")
    right += "\n```text\n1\nZeroDivisionError: division by ...\n```\n"
    run_page(right, "right", tmp_path, monkeypatch)


@pytest.mark.parametrize("page", sorted((SITE / "api").glob("*.md")), ids=lambda page: page.stem)
def test_members_that_a_page_lists_exist(page):
    listed = r"^::: ([\w.]+)\n    options:\n(?:      .*\n)*?      members: \[(.*)\]"
    for name, members in re.findall(listed, page.read_text(), re.M):
        owner = pkgutil.resolve_name(f"eqmetrics:{name.removeprefix('eqmetrics.')}")
        fields = {n for c in owner.__mro__ for n in getattr(c, "__annotations__", {})}
        missing = {n for n in re.findall(r"\w+", members) if not hasattr(owner, n)} - fields
        assert not missing, name
