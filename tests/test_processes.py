"""Real processes on loopback, two devices each."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import eqmetrics as eqm

from .digits import lists, metrics, of_lists, outputs, update


ROOT = Path(__file__).parents[1]
EXACT = ("accuracy", "rows", "low", "high")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(count: int, folder: Path) -> list[dict[str, Any]]:
    """What each process writes to a file of its own: gloo writes to stdout as it likes."""
    port = str(free_port())
    files = [folder / f"{i}.json" for i in range(count)]
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.digits", port, str(count), str(i), str(files[i])],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(count)
    ]
    errors = [w.communicate(timeout=300)[1] for w in workers]
    for w, error in zip(workers, errors, strict=True):
        assert w.returncode == 0, error[-3000:]
    return [json.loads(f.read_text()) for f in files]


@pytest.mark.parametrize("count", [2, 3])
def test_processes_give_what_one_device_gives(count, tmp_path):
    one = eqm.to_host(jax.jit(update)(metrics(), outputs()))
    told = run(count, tmp_path)
    assert told == told[:1] * count  # every process reads the same
    for form in ("sharded", "across", "loop", "joined"):
        got = {k: float.fromhex(v) for k, v in told[0][form].items()}
        for name, want in one.items():
            ulps = 0 if name in EXACT else 1
            assert abs(got[name] - want) <= ulps * np.spacing(np.float32(want)), (form, name)
    one = eqm.to_host(jax.jit(update)(of_lists(), lists(outputs())))
    for form in ("lists", "lists joined"):
        got = {k: float.fromhex(v) for k, v in told[0][form].items()}
        assert got.keys() == one.keys()
        for name, want in one.items():
            ulps = 0 if name == "wer" else 1  # a quotient of counts
            assert abs(got[name] - want) <= ulps * np.spacing(np.float32(want)), (form, name)
    loss = outputs()["loss"]
    kept = told[0]["kept"]
    assert kept["n"] == len(loss)
    np.testing.assert_allclose(kept["kept"], (len(loss), loss.sum(dtype=np.float64)), rtol=1e-12)


# Process 1 is killed; what process 0 gets is written, since it would wait for the other to end.
LOST = """
import os, signal, sys, traceback
import jax, numpy as np, eqmetrics as eqm
port, index, file = sys.argv[1], int(sys.argv[2]), sys.argv[3]
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(f"127.0.0.1:{port}", 2, index)
own = eqm.Average().update(np.array([index + 1.0]))
assert eqm.to_host(eqm.process_all_reduce(own)) == 1.5
if index == 1:
    os.kill(os.getpid(), signal.SIGKILL)
try:
    eqm.process_all_reduce(own)
except Exception as e:
    with open(file, "w") as f:
        f.write("".join(traceback.format_exception(e)) + f"\\nown: {eqm.to_host(own)}")
os._exit(0)
"""


def test_a_lost_process_is_an_error_that_says_so(tmp_path):
    port, file = str(free_port()), tmp_path / "told.txt"
    workers = [
        subprocess.Popen([sys.executable, "-c", LOST, port, str(i), str(file)]) for i in (0, 1)
    ]
    assert [w.wait(timeout=120) for w in workers] == [0, -9]
    told = file.read_text()
    assert "Connection closed by peer" in told or "Connection reset by peer" in told
    assert "another process has ended" in told and told.endswith("own: 1.0")
