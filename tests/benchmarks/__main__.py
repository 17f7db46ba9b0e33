"""Runs the named benchmarks, or all of them, each in a process of its own. `--page` also writes
them into the page "Benchmarks", where those that weren't named stay as they are."""

import argparse

from . import _page


NAMES = """
    updates classification regression curves groups bootstrap reductions loop sums compile eager
    imports peers
""".split()


def main() -> None:
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--page", action="store_true", help=f"writes {_page.PAGE}")
    chosen = parser.parse_args()
    for name in chosen.names or NAMES:
        if name not in NAMES:
            parser.error(f"{name!r}: expected one of {', '.join(NAMES)}")
        section = _page.run(name)
        if chosen.page:
            _page.write(NAMES, {name: section})


if __name__ == "__main__":
    main()
