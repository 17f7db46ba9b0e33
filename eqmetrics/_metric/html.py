"""HTML tables for notebooks: of a collection, and of confusion matrices."""

from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np

from .metric import AbstractCollection, Metric
from .show import line_of, members_of, value_of


def table(head: list[str], rows: list[list[Any]]) -> str:
    """A table with the HTML class of data frames, which notebooks style; text is escaped."""

    def line(tag: str, cells: list[Any]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(str(x))}</{tag}>" for x in cells) + "</tr>"

    body = "".join(line("td", cells) for cells in rows)
    return (
        '<table class="dataframe" style="text-align: right">'
        f"<thead>{line('th', head)}</thead><tbody>{body}</tbody></table>"
    )


def html_of(metric: AbstractCollection) -> str:
    return table(["metric", "value"], [[name, value] for name, value in _rows(metric, "")])


def _rows(metric: AbstractCollection, before: str) -> Iterator[tuple[str, str]]:
    for name, member in members_of(metric).items():
        if isinstance(member, AbstractCollection):
            yield from _rows(member, f"{before}{name}.")
        else:
            yield f"{before}{name}", line_of(member)


def html_of_matrices(metric: Metric) -> str | None:
    """True classes as rows, predicted classes as columns; a multilabel task has a table for each
    label. `None` if there is no value: then the notebook shows the text."""
    return value_of(metric, _matrices)


def _matrices(value: np.ndarray) -> str:
    classes = range(value.shape[-1])
    head = ["true \\ predicted", *map(str, classes)]
    tables = value.reshape(-1, len(classes), len(classes))
    return "".join(
        table(head, [[i, *(f"{x:.6g}" for x in one[i])] for i in classes]) for one in tables
    )
