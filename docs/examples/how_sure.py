"""How sure is an accuracy, and for whom? Handwritten digits, by digit, with intervals.

    python docs/examples/how_sure.py [intervals.png]
"""

import argparse
from pathlib import Path

import jax
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import eqmetrics as eqm
import eqmetrics.plot


PICTURE = Path(__file__).parent / "out" / "intervals.png"
BATCH = 64


def batches() -> list[dict[str, np.ndarray]]:
    """The test rows of a small classifier, each with its own id."""
    images, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(digits))
    train, test = order[:400], order[400:]
    model = LogisticRegression(C=0.01, max_iter=1000).fit(images[train] / 16, digits[train])
    labels = digits[test].astype(np.int32)
    ink = np.digitize(images[test].mean(1), np.quantile(images.mean(1), [0.25, 0.75]))
    rows = {
        "probabilities": model.predict_proba(images[test] / 16).astype(np.float32),
        "labels": labels,
        "digit": labels,
        "ink": ink.astype(np.int32),
        "ids": test.astype(np.int32),
    }
    return [{n: x[i : i + BATCH] for n, x in rows.items()} for i in range(0, len(test), BATCH)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("picture", nargs="?", type=Path, default=PICTURE)
    picture = parser.parse_args().picture

    task = eqm.Multiclass(10)
    sure = eqm.Bootstrap(eqm.Accuracy(task), samples=500, key=jax.random.key(0), ids=True)
    metrics = eqm.MetricDict(
        all=sure,
        digit=eqm.PerGroup(sure, 10).from_output(group="digit"),
        ink=eqm.PerGroup(sure, 3).from_output(group="ink"),
    )
    update = jax.jit(lambda m, batch: m.update(**batch))
    for batch in batches():
        metrics = update(metrics, batch)

    values = eqm.to_host(metrics)
    everyone = values["all"]
    print(f"accuracy {everyone['value']:.3f}, {everyone['low']:.3f} to {everyone['high']:.3f}")
    for name, groups in (("digit", map(str, range(10))), ("ink", ("light", "medium", "heavy"))):
        found = values[name]
        for i, group in enumerate(groups):
            numbers = (found[n][i] for n in ("value", "low", "high"))
            print("{:<6} {:<6} {:.3f}  {:.3f} to {:.3f}".format(name, group, *numbers))

    picture.parent.mkdir(exist_ok=True)
    ax = eqmetrics.plot.intervals(
        values["digit"], names=[f"digit {i}" for i in range(10)], overall=everyone
    )
    ax.set(xlabel="accuracy")
    ax.figure.savefig(picture, dpi=100)


if __name__ == "__main__":
    main()
