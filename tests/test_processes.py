"""Real processes on loopback, two devices each."""

import ast
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import eqmetrics as eqm

from .digits import metrics, outputs, update


ROOT = Path(__file__).parents[1]
EXACT = ("accuracy", "rows", "low", "high")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(count: int) -> list[tuple[str, ...]]:
    port = str(free_port())
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.digits", port, str(count), str(i)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(count)
    ]
    told = [w.communicate(timeout=300) for w in workers]
    for w, (_, err) in zip(workers, told, strict=True):
        assert w.returncode == 0, err[-3000:]
    # gloo writes to stdout too
    return [tuple(x for x in out.splitlines() if "Gloo" not in x) for out, _ in told]


@pytest.mark.parametrize("count", [2, 3])
def test_processes_give_what_one_device_gives(count):
    one = eqm.to_host(jax.jit(update)(metrics(), outputs()))
    told = run(count)
    assert len(set(told)) == 1  # every process reads the same
    lines = dict(line.split(" ", 1) for line in told[0])
    for form in ("sharded", "across", "loop", "joined"):
        got = {k: float.fromhex(v) for k, v in ast.literal_eval(lines[form]).items()}
        for name, want in one.items():
            ulps = 0 if name in EXACT else 1
            assert abs(got[name] - want) <= ulps * np.spacing(np.float32(want)), (form, name)
    loss = outputs()["loss"]
    kept = ast.literal_eval(lines["kept"])
    assert kept["n"] == len(loss)
    np.testing.assert_allclose(kept["kept"], (len(loss), loss.sum(dtype=np.float64)), rtol=1e-12)
