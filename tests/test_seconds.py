"""The tests that are long by the clock."""

from pathlib import Path

import pytest

from .seconds import FILE, function_of, KEPT, MOST, read, slow_ones


TESTS = Path(__file__).parent
SLOW = read(FILE.read_text())
FUNCTIONS = sorted({function_of(name) for name in SLOW})


def test_what_is_read():
    log = "12.34s call     tests/test_a.py::test_x[a b-1]\n0.5s setup    tests/test_b.py::test_y\n"
    assert read(log) == {"tests/test_a.py::test_x[a b-1]": 12.34}
    assert read("12 tests/test_a.py::test_x[a b-1]\n") == {"tests/test_a.py::test_x[a b-1]": 12.0}


def test_what_is_slow():
    seconds = {
        "tests/test_a.py::test_x[1]": MOST + 1,
        "tests/test_a.py::test_x[2]": MOST + 2,
        "tests/test_a.py::test_y": MOST,
        "tests/test_b.py::test_x": MOST + 1,  # the quickest of its file
        "tests/test_b.py::test_y": KEPT + 1,
        "tests/test_c.py::test_x": KEPT + 1,
        "tests/test_laws.py::test_laws[Sum]": KEPT + 1,
    }
    assert list(slow_ones(seconds)) == [
        "tests/test_b.py::test_y",
        "tests/test_c.py::test_x",
        "tests/test_a.py::test_x[2]",
        "tests/test_a.py::test_x[1]",
    ]


@pytest.mark.parametrize("file", sorted({name.split("::")[0] for name in SLOW}))
def test_what_is_slow_is_there(file):
    text = (TESTS.parent / file).read_text()
    for function in (name for name in FUNCTIONS if name.startswith(f"{file}::")):
        assert f"def {function.split('::')[1]}(" in text, f"Take {function} out of {FILE.name}"


def test_it_is_marked(request):
    names = {item.nodeid: item.get_closest_marker("long") for item in request.session.items}
    assert [name for name, mark in names.items() if name in SLOW and mark is None] == []
