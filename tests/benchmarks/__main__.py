"""Runs the named benchmarks, or all of them, each in a process of its own."""

import subprocess
import sys


NAMES = """
    updates classification regression curves eager imports reductions loop sums groups peers
""".split()

for name in sys.argv[1:] or NAMES:
    subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=True)
