import re
from pathlib import Path

import pytest

import eqmetrics as eqm


ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "docs").rglob("*.md"))]
SNIPPETS = [
    (f"{page.name}:{i}", code)
    for page in PAGES
    for i, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.S))
] + [
    (name, code)
    for name, x in vars(eqm).items()
    for code in re.findall(r"```python\n(.*?)```", getattr(x, "__doc__", None) or "", re.S)
]


@pytest.mark.parametrize("code", [c for _, c in SNIPPETS], ids=[n for n, _ in SNIPPETS])
def test_snippet(code):
    indent = re.match(r" *", code)
    assert indent is not None
    exec(compile(re.sub(f"^{indent.group()}", "", code, flags=re.M), "snippet", "exec"), {})


def test_every_public_name_has_an_entry():
    text = "\n".join(page.read_text() for page in PAGES)
    public = re.findall(r"\bas (\w+)", (ROOT / "eqmetrics" / "__init__.py").read_text())
    assert [n for n in public if f"::: eqmetrics.{n}\n" not in text] == []
