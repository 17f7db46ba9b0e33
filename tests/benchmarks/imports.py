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


def main() -> None:
    about("Import")
    codes = ("import equinox", "import equinox, eqmetrics")
    taken: dict[str, list[float]] = {code: [] for code in codes}
    for code in codes:
        seconds(code)  # writes the bytecode
    for _ in range(15):
        for code, times in taken.items():
            times.append(seconds(code))
    base = [f"{1e3 * statistics.median(t):.0f} ms" for t in taken.values()]
    more = statistics.median(b - a for a, b in zip(*taken.values(), strict=True))
    table([*codes, "difference"], [[*base, f"{1e3 * more:.0f} ms"]])


if __name__ == "__main__":
    main()
