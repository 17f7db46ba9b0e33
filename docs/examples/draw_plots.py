"""The pictures of the pages: curves with their bands, calibration, residuals.

    python docs/examples/draw_plots.py [folder]
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import eqmetrics as eqm
import eqmetrics.plot


def scores(rows: int) -> dict[str, np.ndarray]:
    """The scores of a detector that is right in nine of ten cases."""
    rng = np.random.default_rng(0)
    labels = (rng.random(rows) < 0.3).astype(np.int32)
    return {"logits": rng.normal(2.0 * labels - 1.5).astype(np.float32), "labels": labels}


def draw_curves(path: Path) -> None:
    """Curves from all cells of a state, and from 12 points of it."""
    rows = scores(20_000)
    figure = Figure(figsize=(13, 4.4), layout="constrained")
    kinds = {
        eqm.ROC: eqmetrics.plot.roc,
        eqm.PrecisionRecallCurve: eqmetrics.plot.precision_recall,
        eqm.DET: eqmetrics.plot.det,
    }
    for ax, (kind, draw) in zip(figure.subplots(1, 3), kinds.items(), strict=True):
        curve = kind(eqm.Binary(), points=12).update(**rows)
        draw(curve, names=["all cells"], ax=ax)
        draw(eqm.to_host(curve), names=["12 points"], ax=ax)
    figure.savefig(path, dpi=100)


def draw_reliability(path: Path) -> None:
    """The calibration of an overconfident model."""
    rows = scores(20_000)
    rows["logits"] = 4 * rows["logits"] + 0.3  # twice the log-odds
    bins = eqm.ReliabilityDiagram(eqm.Binary(), bins=10).update(**rows)
    eqmetrics.plot.reliability_diagram(bins).figure.savefig(path, dpi=100)


def draw_residuals(path: Path) -> None:
    """Errors that grow with the prediction, from rows and from a sketch."""
    rng = np.random.default_rng(0)
    predictions = rng.gamma(4.0, size=20_000).astype(np.float32)
    targets = predictions + rng.normal(0.05 * predictions**2, 0.1 + 0.2 * predictions)
    rows = {"predictions": predictions, "targets": targets.astype(np.float32)}
    errors = eqm.QuantileSketch().from_fun(lambda predictions, targets: targets - predictions)

    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(6, 5))
    eqmetrics.plot.residuals(**rows, ax=left)
    eqmetrics.plot.quantile_quantile(errors.update(**rows), ax=right)
    figure.savefig(path, dpi=100)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    draw_curves(folder / "curves.png")
    draw_reliability(folder / "reliability.png")
    draw_residuals(folder / "residuals.png")
    print(f"Pictures: {folder}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent / "out")
    main(parser.parse_args().folder)
