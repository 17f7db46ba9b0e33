"""`import eqmetrics` beside `import equinox`: fresh processes that take turns."""

import os
import statistics
import subprocess
import sys
import time

from ._timing import about, table


# An installed package has its bytecode beside it, as equinox has here. Where Python is told
# not to write any, a checkout is compiled anew in each process: 71 ms instead of 51.
ENV = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=ENV)
    return time.perf_counter() - start


# A collection of all generations (60 ms) is due somewhere in these imports, and may fall into
# ours: with the collector off the difference is what the package itself costs.
COLLECTOR = {"on": "", "off": "import gc; gc.disable(); "}


def main() -> None:
    about("Import")
    codes = ("import equinox", "import equinox, eqmetrics")
    taken: dict[tuple[str, str], list[float]] = {
        (way, code): [] for way in COLLECTOR for code in codes
    }
    for code in codes:
        seconds(code)  # writes the bytecode
    for _ in range(9):
        for (way, code), times in taken.items():
            times.append(seconds(COLLECTOR[way] + code))
    rows = []
    for way in COLLECTOR:
        both = [taken[way, code] for code in codes]
        more = statistics.median(b - a for a, b in zip(*both, strict=True))
        medians = [statistics.median(t) for t in both]
        rows.append([way, *(f"{1e3 * x:.0f} ms" for x in (*medians, more))])
    table(["garbage collector", *codes, "difference"], rows)


if __name__ == "__main__":
    main()
