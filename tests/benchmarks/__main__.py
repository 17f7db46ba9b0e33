"""Runs the named benchmarks, or all but `gpu`, each in a process of its own. `--page` also writes
them into the page "Benchmarks", where those that weren't named stay as they are."""

import argparse

from ._page import ELSEWHERE, NAMES, PAGE, run, write


def main() -> None:
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--page", action="store_true", help=f"writes {PAGE}")
    chosen = parser.parse_args()
    for name in chosen.names or [x for x in NAMES if x not in ELSEWHERE]:
        if name not in NAMES:
            parser.error(f"{name!r}: expected one of {', '.join(NAMES)}")
        section = run(name)
        if chosen.page:
            write(**{name: section})


if __name__ == "__main__":
    main()
