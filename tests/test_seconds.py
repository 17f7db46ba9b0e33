"""The tests that are long or slow by the clock."""

from pathlib import Path

import pytest

from .seconds import BY_HAND, FILE, function_of, KEPT, listed, MOST, read


TESTS = Path(__file__).parent
LISTED = [*read(FILE.read_text()), *BY_HAND.read_text().splitlines()]
FUNCTIONS = sorted({function_of(name) for name in LISTED})


def test_what_is_read():
    log = "12.34s call     tests/test_a.py::test_x[a b-1]\n0.5s setup    tests/test_b.py::test_y\n"
    assert read(log) == {"tests/test_a.py::test_x[a b-1]": 12.34}
    assert read("12 tests/test_a.py::test_x[a b-1]\n") == {"tests/test_a.py::test_x[a b-1]": 12.0}


def test_what_is_listed():
    seconds = {
        "tests/test_a.py::test_x[1]": MOST + 1,
        "tests/test_a.py::test_x[2]": MOST + 2,
        "tests/test_a.py::test_y": MOST,
        "tests/test_b.py::test_x": MOST + 1,  # the quickest of its file
        "tests/test_b.py::test_y": KEPT + 1,
        "tests/test_c.py::test_x": KEPT + 1,
        "tests/test_laws.py::test_laws[Sum]": KEPT + 1,
    }
    assert list(listed(seconds)) == [
        "tests/test_b.py::test_y",
        "tests/test_c.py::test_x",
        "tests/test_a.py::test_x[2]",
        "tests/test_a.py::test_x[1]",
    ]


@pytest.mark.parametrize("file", sorted({name.split("::")[0] for name in LISTED}))
def test_what_is_listed_is_there(file):
    text = (TESTS.parent / file).read_text()
    for function in (name for name in FUNCTIONS if name.startswith(f"{file}::")):
        lists = f"{FILE.name} or {BY_HAND.name}"
        assert f"def {function.split('::')[1]}(" in text, f"Take {function} out of {lists}"


def test_it_is_marked(request):
    marked = {
        item.nodeid: item.get_closest_marker("long") or item.get_closest_marker("slow")
        for item in request.session.items
    }
    assert [name for name, mark in marked.items() if name in LISTED and not mark] == []
