import re
import subprocess
import sys
from pathlib import Path

import numpy as np


EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def run(name: str, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.run(
        command, check=True, timeout=300, stdout=subprocess.PIPE, text=True
    ).stdout


def test_coming_from_clu():
    cells = [line.split(" ")[1] for line in run("coming_from_clu.py").splitlines()[:-1]]
    assert cells == ["[2]", "[4]", "[5]", "[6]", "[7]", "[7]", "[7]"]


def test_train_digits(tmp_path):
    picture = tmp_path / "confusion.png"
    table = run("train_digits.py", str(picture))
    progress = re.findall(r"^epoch +\d+ of 15  accuracy \d\.\d{4}  loss ", table, re.M)
    assert len(progress) == 15  # on a terminal, a bar
    told = (EXAMPLES.parent / "docs" / "training_state.md").read_text()
    for row in ("last epoch", "one device", "shard_map", "filter_pmap"):
        here, there = (re.search(rf"^{row} +(.*)$", text, re.M) for text in (table, told))
        assert here and there
        numbers = [[float(x) for x in found[1].split()] for found in (here, there)]
        assert np.allclose(*numbers, atol=0.03)  # another XLA may round otherwise
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_draw_plots(tmp_path):
    run("draw_plots.py", str(tmp_path))
    names = {"curves.png", "reliability.png", "residuals.png"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert names <= {path.name for path in (EXAMPLES.parent / "docs" / "assets").iterdir()}


def test_digits_batchnorm():
    *epochs, test = run("digits_batchnorm.py").splitlines()
    assert len(epochs) == 8 and epochs[-1].startswith("epoch 7 {'accuracy': 0.9")
    assert test.startswith("test    {'accuracy': 0.9")


def test_token_tagger():
    lines = run("token_tagger.py").splitlines()
    assert [line.split(" {")[0].strip() for line in lines] == [
        "step 50", "step 100", "step 150", "step 200", "test"
    ]
    assert "'accuracy': 1.0" in lines[-1] and "'whole': 1.0" in lines[-1]


def test_character_model(tmp_path):
    picture = tmp_path / "intervals.png"
    lines = run("character_model.py", str(picture)).splitlines()
    steps, told = lines[:4], lines[4:]
    assert [line.split("  ")[0] for line in steps] == [f"step {n}" for n in (50, 100, 150, 200)]
    found = {x[:18].strip(): [float(y) for y in re.findall(r"\d+\.\d+", x)] for x in told}
    assert all(low < value < high for value, low, high in found.values())
    of = lambda name: found[name][0]
    assert 5 < of("text perplexity") < 15 and 0.35 < of("text accuracy") < 0.6
    # All characters but a few are a byte.
    assert abs(of("text bits_per_byte") / np.log2(of("text perplexity")) - 1) < 0.01
    assert found["choice accuracy"][1] > 1 / 4 and of("choice probability") > 0.4
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_digit_retrieval():
    lines = run("digit_retrieval.py").splitlines()
    told = (EXAMPLES.parent / "docs" / "examples.md").read_text()
    assert lines[:2] == ["1197 queries, 600 documents", f"{'':<14}pixels  learned"]
    for line in lines[2:]:
        there = re.search(rf"^{re.escape(line[:8])}.*$", told, re.M)
        assert there
        numbers = [[float(x) for x in re.findall(r" (\d\.\d+)", x)] for x in (line, there[0])]
        assert len(numbers[0]) >= 2
        assert np.allclose(*numbers, atol=0.02)  # another XLA may round otherwise
    assert len(lines) == 8 and lines[-1].startswith("MAP is 0.2")


def test_segment_shapes(tmp_path):
    picture = tmp_path / "shapes.png"
    lines = run("segment_shapes.py", str(picture)).splitlines()
    told = (EXAMPLES.parent / "docs" / "examples.md").read_text()
    assert lines[0] == "300 pictures on 8 devices" and len(lines) == 6
    for line in lines[1:5]:
        there = re.search(rf"^{line[:8]}.*$", told, re.M)
        assert there
        numbers = [[float(x) for x in re.findall(r" (\d+\.\d+)", x)] for x in (line, there[0])]
        assert np.allclose(*numbers, rtol=0.1, atol=0.05)  # another XLA may round otherwise
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_every_example_has_a_test():
    assert {f"test_{path.stem}" for path in EXAMPLES.glob("*.py")} <= globals().keys()


def test_how_sure(tmp_path):
    picture = tmp_path / "intervals.png"
    lines = run("how_sure.py", str(picture)).splitlines()
    page = (EXAMPLES.parent / "docs" / "how_sure.md").read_text()
    assert len(lines) == 14 and lines[0] in page and lines[10] in page
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_policy_gradient():
    *curve, told = run("policy_gradient.py").splitlines()
    assert len(curve) == 6 and curve[0].startswith("update  0  return")
    of = lambda line, name: float(re.search(rf"{name} +([-\d.]+)", line)[1])  # pyright: ignore
    # It learns to walk straight to the end: 8 steps, of which 7 cost 0.05.
    assert of(curve[0], "length") > 12 and of(curve[-1], "length") < 8.5
    assert abs(of(curve[-1], "return") - 0.65) < 0.03
    assert all(name in told for name in ("'norm'", "'layers.0'", "'kl'", "'clipped'"))


def test_neural_ode():
    lines = [line.rsplit(None, 6) for line in run("neural_ode.py").splitlines()]
    names = ["relative", "waves 0-4", "waves 5-12", "waves 13-32"]
    assert [line[0] for line in lines] == ["neural ODE", *names, "persistence", *names]
    values = np.array([[float(x) for x in line[1:]] for line in lines if "t=" not in line[1]])
    learned, same = values[:4], values[4:]
    # It goes on for twice as long as it was shown, and is better at every scale.
    assert np.all(learned[0] < 0.25 * same[0]) and learned[0, 0] < 0.1
    assert np.all(learned < same)


def test_flow_matching():
    head, *lines = run("flow_matching.py").splitlines()
    assert head.split() == ["frechet", "mmd", "precision", "coverage"]
    rows = {line[:15].strip(): [float(x) for x in line[15:].split()] for line in lines}
    noise, flow, gaussian, real = (
        rows[name] for name in ("noise", "flow, 32 steps", "gaussian", "real moons")
    )
    assert flow[0] < 0.01 < noise[0] and flow[3] > 0.7 > noise[3] and real[3] > 0.9
    # Moments alone take a Gaussian for the moons; the other scores don't.
    assert gaussian[0] < 0.01 and gaussian[1] > 2 * flow[1] and gaussian[2] < flow[2] - 0.1
