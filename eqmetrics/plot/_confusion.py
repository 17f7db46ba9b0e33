from collections.abc import Sequence
from typing import Any, TYPE_CHECKING

import numpy as np

from .._metric.messages import describe
from ._axes import axes_of


if TYPE_CHECKING:
    from matplotlib.axes import Axes


_MOST_NUMBERS = 20  # with more classes, cells have no room for a number
_MOST_TICKS = 30
_NAMED_MISTAKES = 5


def _number(x: float) -> str:
    if not np.isfinite(x) or x == 0:
        return ""
    if float(x).is_integer():
        return f"{x:.0f}" if x < 1e5 else f"{x:.0e}".replace("e+0", "e")
    return f"{x:.2f}".removeprefix("0") if x < 1 else f"{x:.3g}"


def confusion_matrix(
    matrix: Any, *, names: Sequence[str] | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Draws the value of an [`eqmetrics.ConfusionMatrix`][]: true classes down, predicted across.

    The colour is the share of the row, on a square-root scale, so that rare mistakes of rare
    classes are visible. With up to 20 classes every cell contains its number; with more, only the
    largest mistakes are labelled.

    **Arguments:**

    - `matrix`: an array of shape `(classes, classes)`: counts, or normalized.
    - `names`: the names of the classes; by default their numbers.
    - `ax`: where to draw; if not given, a new figure, which is `ax.figure` of the result.

    **Returns:** the axes.

    !!! example

        ```python
        import eqmetrics as eqm, eqmetrics.plot, jax.numpy as jnp
        confusion = eqm.ConfusionMatrix(eqm.Multiclass(3))
        matrix = confusion(predicted_labels=jnp.array([0, 1, 1]), labels=jnp.array([0, 1, 2]))
        ax = eqmetrics.plot.confusion_matrix(matrix, names=("cat", "dog", "bird"))
        # ax.figure.savefig("confusion.png")
        ```
    """
    matrix = np.asarray(matrix, np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            f"`plot.confusion_matrix` got {describe(matrix)}, expected a square matrix. A "
            "multilabel task has one for each label: draw `matrix[i]`."
        )
    classes = len(matrix)
    if names is not None and len(names) != classes:
        raise ValueError(f"`names` has {len(names)} names, and the matrix {classes} classes.")
    names = list(map(str, range(classes) if names is None else names))
    rows = np.nansum(matrix, axis=1, keepdims=True)
    share = np.divide(np.nan_to_num(matrix), rows, out=np.zeros_like(matrix), where=rows > 0)

    size = min(9.0, 3.2 + 0.32 * classes)
    axes = axes_of(ax, size * 1.18, size)
    image = axes.imshow(np.sqrt(share), cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    label = "share of the true class"
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.045, pad=0.02, label=label)
    shares = np.array([0, 0.01, 0.05, 0.1, 0.25, 0.5, 1])
    bar.set_ticks(np.sqrt(shares), labels=[f"{x:.0%}" for x in shares])
    step = -(-classes // _MOST_TICKS)
    step = step if step == 1 else max(5, 5 * round(step / 5))
    shown = range(0, classes, step)
    long = max(map(len, names)) > 3
    axes.set_yticks(shown, [names[i] for i in shown])
    axes.set_xticks(shown, [names[i] for i in shown], rotation=90 if long else 0)
    axes.set(xlabel="predicted", ylabel="true")
    if classes <= _MOST_NUMBERS:
        for (i, j), x in np.ndenumerate(matrix):
            color = "white" if share[i, j] > 0.4 else "black"
            axes.text(j, i, _number(x), ha="center", va="center", color=color, fontsize=9)
    else:
        _name_mistakes(axes, matrix, names)
    return axes


def _name_mistakes(ax: Any, matrix: np.ndarray, names: list[str]) -> None:
    """Draws rings around the largest numbers outside the diagonal, and labels them."""
    mistakes = np.nan_to_num(matrix) * (1 - np.eye(len(matrix)))
    largest = np.argsort(-mistakes, axis=None, kind="stable")[:_NAMED_MISTAKES]
    lines = []
    for i, j in zip(*np.unravel_index(largest, matrix.shape), strict=True):
        if mistakes[i, j] > 0:
            ax.plot(j, i, "o", ms=9, mfc="none", mec="tab:red", mew=1.2)
            lines.append(f"{names[i]} as {names[j]}: {_number(float(matrix[i, j]))}")
    if lines:
        ax.set_title("most often " + ", ".join(lines), fontsize=9, wrap=True)
