"""`PrecisionAtK`, `RecallAtK`, `RPrecision` and `FallOut` beside the mean over all orders."""

import jax.numpy as jnp
import pytest
from hypothesis import given

import eqmetrics as eqm
from eqmetrics import ranking

from ..oracle import agree, few, fold, spread
from . import queries as q


TIES = "expected", "worst", "first"
KINDS = {
    "precision": (ranking.PrecisionAtK, q.precision),
    "recall": (ranking.RecallAtK, q.recall),
    "fall-out": (ranking.FallOut, q.fall_out),
}
ALL = eqm.MetricDict(
    {f"{name}, {t}": cls(q.CUTS, ties=t) for name, (cls, _) in KINDS.items() for t in TIES}
    | {f"R, {t}": ranking.RPrecision(ties=t) for t in TIES}
    | {"of documents": ranking.PrecisionAtK(q.CUTS, divide_by="documents")}
    | {f"{name}, one": cls(2, empty="one") for name, (cls, _) in KINDS.items()}
)


@pytest.mark.parametrize("way", [fold, spread])
def test_all_orders_agree(way):
    @few
    @given(batch=q.queries())
    def check(batch):
        got = way(ALL, batch).compute()
        for name, (_, definition) in KINDS.items():
            for t in TIES:
                agree(got[f"{name}, {t}"], q.values(definition, batch, ties=t), 2e-6, 1e-6)
            agree(got[f"{name}, one"], q.mean_of(definition, batch, 2, empty="one"), 2e-6, 1e-6)
        for t in TIES:
            agree(got[f"R, {t}"], q.mean_of(q.r_precision, batch, ties=t), 2e-6, 1e-6)
        agree(got["of documents"], q.values(q.precision_of_documents, batch), 2e-6, 1e-6)

    check()


def test_by_hand():
    batch = {"scores": jnp.array([[3.0, 2.0, 1.0]]), "relevance": jnp.array([[0, 1, 1]])}
    assert ranking.PrecisionAtK(2)(**batch) == 0.5
    assert ranking.PrecisionAtK((1, 2, 5))(**batch).tolist() == [0, 0.5, jnp.float32(0.4)]
    assert ranking.RecallAtK((1, 2, 5))(**batch).tolist() == [0, 0.5, 1]
    assert ranking.RPrecision()(**batch) == 0.5
    assert ranking.FallOut((1, 2))(**batch).tolist() == [1, 1]
    tied = {"scores": jnp.array([[1.0, 1.0]]), "relevance": jnp.array([[1, 0]])}
    assert ranking.PrecisionAtK(1)(**tied) == 0.5
    assert ranking.PrecisionAtK(1, ties="worst")(**tied) == 0
    assert ranking.PrecisionAtK(1, ties="first")(**tied) == 1


def test_fewer_documents_than_k():
    batch = {"scores": jnp.array([[3.0, 2.0]]), "relevance": jnp.array([[1, 1]])}
    assert ranking.PrecisionAtK(4)(**batch) == 0.5
    assert ranking.PrecisionAtK(4, divide_by="documents")(**batch) == 1


def test_arguments():
    for k in (0, -1, True, (), (1, 0), 2.5):
        with pytest.raises((ValueError, TypeError)):
            ranking.PrecisionAtK(k)  # pyright: ignore[reportArgumentType]
    for cls in (ranking.PrecisionAtK, ranking.RecallAtK, ranking.FallOut):
        with pytest.raises((ValueError, TypeError)):
            cls(None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="expected 'k' or 'documents'"):
        ranking.PrecisionAtK(2, divide_by="size")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="`ties` is 'last'"):
        ranking.RecallAtK(2, ties="last")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="`empty` is 'drop'"):
        ranking.RecallAtK(2, empty="drop")  # pyright: ignore[reportArgumentType]
