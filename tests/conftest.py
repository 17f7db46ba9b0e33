from pathlib import Path

import jax
import pytest

from .seconds import BY_HAND, FILE, read


jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")

MAPS, MOST_MAPS = Path("/proc/self/maps"), 24_000


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marks = dict.fromkeys(read(FILE.read_text()), "long")
    marks |= dict.fromkeys(BY_HAND.read_text().splitlines(), "slow")
    for item in items:
        if item.nodeid in marks:
            item.add_marker(marks[item.nodeid])


def pytest_runtest_teardown() -> None:
    """A compiled program for the CPU takes three or more memory maps: the laws of twelve metrics
    take eight thousand. Linux allows a process 65 530 maps, and at the next one LLVM aborts."""
    if MAPS.exists() and MAPS.read_bytes().count(b"\n") > MOST_MAPS:
        jax.clear_caches()
