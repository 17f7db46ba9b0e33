"""499 rows of real data with the scores of a fixed model, for the tests on devices and on
processes. As a program, it is one of several processes."""

import json
import sys
from pathlib import Path

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from sklearn.datasets import load_digits

import eqmetrics as eqm


ROWS, PADDED = 499, 512


def metrics() -> eqm.MetricDict:
    return eqm.MetricDict(
        accuracy=eqm.Accuracy(),
        rows=eqm.Count().from_output("loss"),
        loss=eqm.Average().from_output("loss"),
        total=eqm.Sum().from_output("loss"),
        std=eqm.Std().from_output("loss"),
        low=eqm.Min().from_output("loss", weights=None),
        high=eqm.Max().from_output("loss", weights=None),
    )


def of_lists() -> eqm.MetricDict:
    """Metrics of rankings, with the classes as documents and with ties, and of texts."""
    return eqm.MetricDict(
        ndcg=eqm.ranking.NDCG(),
        mrr=eqm.ranking.MeanReciprocalRank(),
        ap=eqm.ranking.RetrievalAveragePrecision(),
        perplexity=eqm.text.Perplexity(),
        wer=eqm.text.WordErrorRate(),
    )


def lists(batch: dict) -> dict[str, np.ndarray]:
    """Their outputs: digits near the label are relevant, and token ids are rounded logits."""
    logits, labels = np.nan_to_num(batch["logits"]), batch["labels"]
    away = np.abs(np.arange(10) - labels[:, None])
    return {
        "scores": np.round(logits),
        "relevance": np.maximum(3 - away, 0).astype(np.int32),
        "logits": batch["logits"],
        "labels": labels,
        "predicted_tokens": np.round(logits[:, :5]).astype(np.int32),
        "tokens": np.round(logits[:, 1:6]).astype(np.int32),
    } | {k: batch[k] for k in batch if k == "mask"}


def outputs() -> dict[str, np.ndarray]:
    data, target = (np.asarray(x) for x in load_digits(return_X_y=True))
    x = (data[-ROWS:] / 16.0).astype(np.float32)
    y = target[-ROWS:].astype(np.int32)
    logits = x @ np.random.default_rng(0).normal(size=(64, 10)).astype(np.float32)
    loss = np.log(np.exp(logits - logits[np.arange(ROWS), y][:, None]).sum(1))
    return {"logits": logits, "labels": y, "loss": loss.astype(np.float32)}


def padded() -> dict[str, np.ndarray]:
    """Padded with rows that must not be read: NaN, and labels out of range."""

    def pad(x):
        fill = np.nan if x.dtype.kind == "f" else -7
        return np.concatenate([x, np.full((PADDED - ROWS, *x.shape[1:]), fill, x.dtype)])

    return {k: pad(x) for k, x in outputs().items()} | {"mask": np.arange(PADDED) < ROWS}


def update(metrics: eqm.MetricDict, batch: dict) -> eqm.MetricDict:
    return metrics.update(**batch)


def worker(port: str, count: int, index: int, file: str) -> None:
    """The same evaluation, as process `index` of `count` with two devices each."""
    jax.config.update("jax_num_cpu_devices", 2)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"127.0.0.1:{port}", count, index)
    batch = padded()

    # global arrays: the program over all devices
    rows = np.arange(PADDED + -PADDED % (2 * count)) % PADDED
    whole = {k: x[rows] for k, x in batch.items()}
    whole["mask"] = whole["mask"] & (np.arange(len(rows)) < PADDED)
    share = np.array_split(np.arange(len(rows)), count)[index]
    mesh = jax.make_mesh((2 * count,), ("devices",), axis_types=(AxisType.Auto,))
    place = NamedSharding(mesh, P("devices"))
    mine = {k: jax.make_array_from_process_local_data(place, x[share]) for k, x in whole.items()}
    sharded = jax.jit(update, out_shardings=NamedSharding(mesh, P()))(metrics(), mine)
    across = jax.jit(
        jax.shard_map(
            lambda m, b: m.update_across("devices", **b),
            mesh=mesh,
            in_specs=(P(), P("devices")),
            out_specs=P(),
        )
    )(metrics(), mine)
    local = [{k: x[share][i : i + 64] for k, x in whole.items()} for i in range(0, len(share), 64)]
    loop = eqm.evaluate(
        lambda m, b, mask: m.update(**b | {"mask": mask & b["mask"]}),
        metrics(),
        local,
        mesh=mesh,
    )

    # states of each process: uneven shares, the last one empty if there are three
    cuts = [0, 101, ROWS, ROWS][: count + 1]
    part = slice(cuts[index], cuts[index + 1])
    own = {k: x[part] for k, x in outputs().items()}
    joined = eqm.process_all_reduce(update(metrics(), own))
    listed = {
        k: jax.make_array_from_process_local_data(place, x[share]) for k, x in lists(whole).items()
    }
    listed = jax.jit(update, out_shardings=NamedSharding(mesh, P()))(of_lists(), listed)
    lists_joined = eqm.process_all_reduce(jax.jit(update)(of_lists(), lists(own)))
    collect = eqm.Collect("loss", fn=lambda x: (len(x), float(np.sum(x, dtype=np.float64))))
    both = eqm.MetricDict(kept=collect, n=eqm.Count().from_output("loss"))
    kept = eqm.process_all_reduce(both.update(loss=own["loss"]))
    forms = {"sharded": sharded, "across": across, "loop": loop, "joined": joined}
    forms |= {"lists": listed, "lists joined": lists_joined}
    told = {
        name: {k: np.float64(v).hex() for k, v in eqm.to_host(m).items()}
        for name, m in forms.items()
    }
    Path(file).write_text(json.dumps(told | {"kept": eqm.to_host(kept)}))


if __name__ == "__main__":
    worker(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
