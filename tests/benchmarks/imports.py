"""`import eqmetrics` beside `import equinox`: fresh processes that take turns. Since names are
imported at their first use, some and all of them are named, too."""

import itertools
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

EQUINOX = "import equinox"
OURS = f"{EQUINOX}, eqmetrics as eqm"
CODES = {
    EQUINOX: "`import equinox`",
    OURS: "and `import eqmetrics as eqm`",
    f"{OURS}; eqm.MetricDict; eqm.Accuracy; eqm.F1; eqm.AUROC": "and naming `eqm.MetricDict`,"
    " `eqm.Accuracy`, `eqm.F1` and `eqm.AUROC`",
    f"{OURS}; [getattr(eqm, name) for name in eqm.__all__]": "and naming all of `eqm.__all__`",
}


def main() -> None:
    about("Import")
    taken: dict[tuple[str, str], list[float]] = {}
    for code in CODES:
        seconds(code)  # writes the bytecode
    for _ in range(9):
        for way, code in itertools.product(COLLECTOR, CODES):
            taken.setdefault((way, code), []).append(seconds(COLLECTOR[way] + code))
    rows = []
    for code, what in CODES.items():
        cells = []
        for way in COLLECTOR:
            here, alone = taken[way, code], taken[way, EQUINOX]
            more = statistics.median(b - a for a, b in zip(alone, here, strict=True))
            cells += [f"{1e3 * statistics.median(here):.0f} ms", f"{1e3 * more:.0f} ms"]
        rows.append([what, *cells])
    table(["", *(x for way in COLLECTOR for x in (f"collector {way}", "more than equinox"))], rows)


if __name__ == "__main__":
    main()
