"""Chooses the tests that take long. `tests/seconds.txt` lists those that run in the session `long`,
with the seconds that they took. `python -m tests.seconds LOG` writes it from the output of
`pytest -m "" --durations=0`, run without a cache of compiled programs. `tests/by_hand.txt` lists
the tests for which `.ci/run` has no time, and which the session `slow` runs."""

import re
import sys
from pathlib import Path


FILE = Path(__file__).with_suffix(".txt")
BY_HAND = Path(__file__).with_name("by_hand.txt")
# In seconds on a shared machine; on an idle one a test takes about half.
MOST = 1.0
# The quickest test of a file isn't listed if it takes no longer than this.
KEPT = 5.0
# Tests that run in groups whose members change: `tests/groups.py` marks them as long or slow.
OF_GROUPS = {"test_laws", "test_laws_of_one_metric", "test_any_scale_and_what_is_no_weight",
             "test_gradients", "test_every_type_gives_the_same"}  # fmt: skip


def read(text: str) -> dict[str, float]:
    """Seconds by the ids of tests, read from a log or from `tests/seconds.txt`."""
    lines = re.findall(r"^([\d.]+)s? +(?:call +)?(tests/\S+\.py::.*?) *$", text, re.M)
    return {name: float(seconds) for seconds, name in lines}


def function_of(name: str) -> str:
    return re.sub(r"\[.*", "", name)


def listed(seconds: dict[str, float]) -> dict[str, float]:
    """The long tests among those that ran, the longest first."""
    taken = {n: x for n, x in seconds.items() if function_of(n).split("::")[1] not in OF_GROUPS}
    quickest: dict[str, str] = {}
    for name in sorted(taken, key=lambda n: taken[n]):
        quickest.setdefault(name.split("::")[0], name)
    kept = {name for name in quickest.values() if taken[name] <= KEPT}
    found = {name: x for name, x in taken.items() if x > MOST and name not in kept}
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


if __name__ == "__main__":
    by_hand = BY_HAND.read_text().splitlines()
    found = listed(read(Path(sys.argv[1]).read_text()))
    found = {name: x for name, x in found.items() if name not in by_hand}
    FILE.write_text("".join(f"{x:.0f} {name}\n" for name, x in found.items()))
