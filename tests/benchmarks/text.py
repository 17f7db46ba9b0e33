"""Updates of text on ids beside rapidfuzz and sacrebleu, in CPU time of all threads, in turns; and
what their programs take to compile."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import eqmetrics as eqm

from ._timing import about, si, table
from .peers import module


def cpu_per_call(functions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds of the processor: the median over rounds that take turns."""
    for f in functions.values():
        jax.block_until_ready(f())
    taken: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, f in functions.items():
            start = time.process_time()
            jax.block_until_ready(f())
            taken[name].append(time.process_time() - start)
    return {name: statistics.median(x) for name, x in taken.items()}


def texts(pairs: int, low: int, high: int, words: int) -> tuple[list, list]:
    """References, and predictions with a fifth of the tokens changed."""
    rng = np.random.default_rng(0)
    sizes = lambda n: np.where(rng.random(n) < 0.4, 20, words)  # some words are common
    meant = [rng.integers(0, sizes(n)) for n in rng.integers(low, high + 1, pairs)]
    said = []
    for x in meant:
        y = np.where(rng.random(len(x)) < 0.1, rng.integers(0, words, len(x)), x)
        said.append(y[rng.random(len(x)) > 0.08].tolist())
    return said, [x.tolist() for x in meant]


def padded(lists: list, length: int) -> jax.Array:
    out = np.full((len(lists), length), -1, np.int32)
    for row, x in zip(out, lists, strict=True):
        row[: len(x)] = x
    return jnp.asarray(out)


def compiled(metric: Any, batch: dict[str, Any]) -> tuple[Callable[[], Any], float]:
    update = jax.jit(lambda metric, batch: type(metric).update(metric, **batch))
    start = time.perf_counter()
    program = update.lower(metric, batch).compile()
    took = time.perf_counter() - start
    return lambda: program(metric, batch), took


CASES = {
    "2000 pairs of 20 to 30 words": (2000, 20, 30, 5000, 48),
    "2000 pairs of 120 to 180 characters": (2000, 120, 180, 30, 192),
}


def edits(name: str, said: list, meant: list, batch: dict[str, Any]) -> list[list[object]]:
    Levenshtein = module("rapidfuzz.distance").Levenshtein
    peer = lambda: sum(map(Levenshtein.distance, said, meant)) and None
    return against(name, "rapidfuzz", peer, batch, {
        "WordErrorRate": eqm.text.WordErrorRate(),
        "MatchErrorRate": eqm.text.MatchErrorRate(),
        'Rouge("L")': eqm.text.Rouge("L"),
    })  # fmt: skip


def ngrams(name: str, said: list, meant: list, batch: dict[str, Any]) -> list[list[object]]:
    bleu = module("sacrebleu.metrics").BLEU
    strings = [[" ".join(map(str, x)) for x in lists] for lists in (said, meant)]
    score = lambda: bleu(tokenize="none", force=True).corpus_score(strings[0], strings[1:])
    value = eqm.text.BLEU(smoothing="exp")(**batch)
    assert abs(value - score().score) < 1e-3
    metrics = {"BLEU": eqm.text.BLEU()}
    return against(name, "sacrebleu", lambda: score() and None, batch, metrics)


def against(
    name: str, peer: str, run: Callable[[], object], batch: dict[str, Any], metrics: dict[str, Any]
) -> list[list[object]]:
    programs = {k: compiled(metric, batch) for k, metric in metrics.items()}
    took = cpu_per_call({peer: run} | {k: f for k, (f, _) in programs.items()}, rounds=9)
    return [
        [name, k, si(took[k]), f"{took[k] / took[peer]:.2f} of {peer}", f"{seconds:.1f} s"]
        for k, (_, seconds) in programs.items()
    ]


def main() -> None:
    about("Text on ids", "rapidfuzz", "sacrebleu")
    rows: list[list[object]] = []
    for name, (pairs, low, high, words, length) in CASES.items():
        said, meant = texts(pairs, low, high, words)
        batch = {"predicted_tokens": padded(said, length), "tokens": padded(meant, length)}
        rows += edits(name, said, meant, batch)
        if words > 1000:
            rows += ngrams(name, said, meant, batch)
    table(["", "metric", "CPU time of an update", "", "compiled in"], rows)
    print("rapidfuzz: one call of `Levenshtein.distance` a pair, on lists of ids.\n")


if __name__ == "__main__":
    main()
