from pathlib import Path

import jax
import pytest

from .seconds import FILE, mark, read


jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")

MAPS, MOST_MAPS = Path("/proc/self/maps"), 24_000


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    seconds = read(FILE.read_text())
    for item in items:
        if item.nodeid in seconds and not item.get_closest_marker("long"):
            item.add_marker(mark(item.nodeid, seconds[item.nodeid]))


def pytest_runtest_teardown() -> None:
    """A compiled program of the CPU takes three memory maps and more: the laws of twelve metrics
    take eight thousand. Linux allows a process 65 530 of them, and LLVM aborts at the next."""
    if MAPS.exists() and MAPS.read_bytes().count(b"\n") > MOST_MAPS:
        jax.clear_caches()
