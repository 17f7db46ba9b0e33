"""`import eqmetrics` beside `import equinox`: fresh processes that take turns."""

import statistics
import subprocess
import sys
import time

from ._timing import about, table


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def main() -> None:
    about("Import")
    codes = ("import equinox", "import equinox, eqmetrics")
    taken: dict[str, list[float]] = {code: [] for code in codes}
    for _ in range(15):
        for code, times in taken.items():
            times.append(seconds(code))
    base = [f"{1e3 * statistics.median(t):.0f} ms" for t in taken.values()]
    more = statistics.median(b - a for a, b in zip(*taken.values(), strict=True))
    table([*codes, "difference"], [[*base, f"{1e3 * more:.0f} ms"]])


if __name__ == "__main__":
    main()
