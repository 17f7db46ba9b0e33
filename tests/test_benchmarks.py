"""The page "Benchmarks" says what its parts say; the benchmarks themselves are run by hand."""

from pathlib import Path

from .benchmarks._page import assembled, NAMES, PAGE, sections_of
from .benchmarks.goals import GOALS


ROOT = Path(__file__).parent.parent


def test_each_goal_says_where_it_is_measured_and_why_it_is_missed():
    for goal in GOALS:
        assert goal.where in NAMES or (ROOT / goal.where).exists(), goal
        assert (goal.status == "missed") == bool(goal.reason), goal
        assert (goal.status == "open") == (not goal.figure), goal


def test_each_benchmark_is_run_and_has_a_file():
    files = (ROOT / "tests" / "benchmarks").glob("[a-z]*.py")
    assert sorted(NAMES) == sorted(x.stem for x in files if x.stem != "goals")


def test_the_page_is_written_anew_when_the_goals_change():
    page = (ROOT / PAGE).read_text()
    anew = assembled(sections_of(page))
    assert page == anew, "python -m tests.benchmarks._page"


def test_sections_come_in_order_and_stay():
    text = assembled({"sums": "## B", "updates": "## A"})
    assert text.index("## A") < text.index("## B")
    assert sections_of(text) == {"updates": "## A", "sums": "## B"}
