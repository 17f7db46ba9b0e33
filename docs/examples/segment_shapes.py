"""Noisy pictures of shapes, segmented and cleaned by one small U-Net, on a mesh of eight devices.

The pictures show discs, squares and triangles, each kind a little brighter than the one before,
with strong noise. The network predicts the class of each pixel, and its value without noise. Masks
are scored by Dice and HD95, noisy and cleaned pictures by SSIM and PSNR, and the boxes around the
masks by COCO's mean average precision: all in one dict, in one pass.

    python docs/examples/segment_shapes.py [picture]
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int
from matplotlib.figure import Figure

import eqmetrics as eqm
import eqmetrics.plot


NAMES = "disc", "square", "triangle"
SIDE, BATCH, STEPS = 40, 32, 160
optimizer = optax.adam(optax.cosine_decay_schedule(1e-2, STEPS))
Rows = dict[str, np.ndarray]


def shapes(count: int, seed: int) -> Rows:
    """Each shape is in seven of ten pictures; later shapes hide earlier ones."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    labels = np.zeros((count, SIDE, SIDE), np.int32)
    clean = np.broadcast_to(rng.uniform(0.05, 0.2, (count, 1, 1)), labels.shape).copy()
    for i in range(count):
        for kind in rng.permutation(3):
            if rng.random() < 0.3:
                continue
            row, column = rng.uniform(9, SIDE - 9, 2)
            size = rng.uniform(5, 9)
            down, across = y - row, x - column
            inside = (
                down**2 + across**2 < size**2,
                np.maximum(abs(down), abs(across)) < 0.8 * size,
                (down < 0.7 * size) & (2 * abs(across) < down + size),
            )[kind]
            labels[i][inside] = kind + 1
            clean[i][inside] = 0.35 + 0.22 * kind + rng.uniform(0, 0.15)
    noisy = np.clip(clean + 0.25 * rng.normal(size=clean.shape), 0, 1)
    return {"noisy": noisy.astype(np.float32), "clean": clean.astype(np.float32), "labels": labels}


class UNet(eqx.Module):
    """Two halvings and back. For each pixel four logits, and what to add to remove the noise."""

    down: list[eqx.nn.Conv2d]
    up: list[eqx.nn.Conv2d]
    last: eqx.nn.Conv2d

    def __init__(self, key: Array):
        keys = iter(jax.random.split(key, 7))
        conv = lambda n, m, size=3: eqx.nn.Conv2d(n, m, size, padding="SAME", key=next(keys))
        self.down = [conv(1, 12, 5), conv(12, 24), conv(24, 32)]
        self.up = [conv(32 + 24, 24), conv(24 + 12, 12)]
        self.last = conv(12, 5, 1)

    def __call__(self, noisy: Float[Array, "side side"]) -> Float[Array, "5 side side"]:
        x, seen = 2 * noisy[None] - 1, []
        for i, conv in enumerate(self.down):
            if i > 0:
                seen.append(x)
                channels, height, width = x.shape
                x = x.reshape(channels, height // 2, 2, width // 2, 2).max(axis=(2, 4))
            x = jax.nn.silu(conv(x))
        for conv, before in zip(self.up, reversed(seen), strict=True):
            x = x.repeat(2, axis=1).repeat(2, axis=2)
            x = jax.nn.silu(conv(jnp.concatenate([x, before])))
        return self.last(x)


def predict(model: UNet, noisy: Float[Array, "rows side side"]) -> tuple[Array, Array]:
    """Logits, with the classes on the last axis, and clean pictures."""
    out = jax.vmap(model)(noisy)
    return jnp.moveaxis(out[:, :4], 1, -1), noisy + out[:, 4]


def loss_of(model: UNet, batch: dict[str, Array]) -> Float[Array, ""]:
    logits, clean = predict(model, batch["noisy"])
    each = optax.softmax_cross_entropy(logits, jax.nn.one_hot(batch["labels"], 4))
    return jnp.mean(each) + 10 * jnp.mean((clean - batch["clean"]) ** 2)


@eqx.filter_jit(donate="all")
def train_step(model: UNet, opt_state: optax.OptState, batch: dict[str, Array]):
    grads = eqx.filter_grad(loss_of)(model, batch)
    updates, opt_state = optimizer.update(grads, opt_state, eqx.filter(model, eqx.is_array))
    return eqx.apply_updates(model, updates), opt_state


def boxes_of(labels: Int[Array, "rows side side"]) -> tuple[Array, Array]:
    """The box around the pixels of each shape, and whether it has any."""
    masks = labels[:, None] == jnp.arange(1, 4)[None, :, None, None]
    there = [jnp.any(masks, axis=axis) for axis in (2, 3)]  # of columns, and of rows
    low = [jnp.argmax(x, axis=-1) for x in there]
    high = [SIDE - jnp.argmax(x[..., ::-1], axis=-1) for x in there]
    return jnp.stack([*low, *high], axis=-1).astype(jnp.float32), jnp.any(masks, axis=(2, 3))


def outputs_of(model: UNet, batch: dict[str, Array]) -> dict[str, Array]:
    """Everything that the metrics and the picture need."""
    logits, clean = predict(model, batch["noisy"])
    found = jnp.argmax(logits, axis=-1)
    masks = (found[..., None] == jnp.arange(1, 4)).astype(jnp.float32)
    sure = jnp.sum(masks * jax.nn.softmax(logits)[..., 1:], axis=(1, 2))
    predicted_boxes, predicted_mask = boxes_of(found)
    boxes, box_mask = boxes_of(batch["labels"])
    kinds = jnp.broadcast_to(jnp.arange(3), box_mask.shape)
    return batch | {
        "logits": logits,
        "cleaned": clean,
        "predicted_boxes": predicted_boxes,
        "predicted_kinds": kinds,
        "predicted_mask": predicted_mask,
        "scores": sure / jnp.maximum(jnp.sum(masks, axis=(1, 2)), 1),
        "boxes": boxes,
        "kinds": kinds,
        "box_mask": box_mask,
    }


def metrics_for(count: int) -> eqm.MetricDict:
    pictures = eqm.image.Image(data_range=1.0, channel_axis=None)
    task, objects = eqm.Multiclass(4), (1, 2, 3)
    masks = {
        "Dice": eqm.segmentation.Dice(task, include=objects),
        "HD95": eqm.segmentation.HausdorffDistance(
            task, include=objects, percentile=95, missed=float(SIDE)
        ),
    }
    quality = lambda name: eqm.MetricDict({
        kind.__name__: kind(pictures).from_output(predictions=name, targets="clean")
        for kind in (eqm.image.SSIM, eqm.image.PSNR)
    })  # fmt: skip
    found = eqm.detection.MeanAveragePrecision(3, eqm.detection.Boxes("xyxy"), 3 * count)
    return eqm.MetricDict(
        **masks,
        mAP=found.from_output(predicted_labels="predicted_kinds", labels="kinds"),
        noisy=quality("noisy"),
        cleaned=quality("cleaned"),
    )


def eval_step(
    metrics: eqm.MetricDict, batch: dict[str, Array], mask: Array, model: UNet
) -> eqm.MetricDict:
    return metrics.update(**outputs_of(model, batch), mask=mask)


def batches(rows: Rows) -> Iterator[Rows]:
    rng = np.random.default_rng(1)
    for _ in range(STEPS):
        some = rng.choice(len(rows["labels"]), BATCH, replace=False)
        yield {k: x[some] for k, x in rows.items()}


def draw(path: Path, outputs: dict[str, np.ndarray], found: eqm.Metric) -> None:
    """Some pictures, the predictions for them, and the curves of all pictures."""
    figure = Figure(figsize=(13, 6.4), layout="constrained")
    both: Any = figure.subfigures(1, 2, width_ratios=(8, 5))
    left, right = both
    axes = left.subplots(3, 4)
    grey = dict(cmap="gray", vmin=0, vmax=1)
    for i, row in enumerate(axes):
        masks = np.argmax(outputs["logits"][i], axis=-1)
        row[0].imshow(outputs["noisy"][i], **grey)
        row[1].imshow(outputs["cleaned"][i], **grey)
        row[2].imshow(masks, cmap="viridis", vmin=0, vmax=3)
        boxes = {k: outputs[k][i] for k in ("boxes", "box_mask", "predicted_boxes", "scores")}
        eqmetrics.plot.boxes(
            outputs["clean"][i], **boxes, predicted_mask=outputs["predicted_mask"][i],
            labels=outputs["kinds"][i], predicted_labels=outputs["predicted_kinds"][i],
            format=eqm.detection.Boxes("xyxy"), names=NAMES, least=0.7, ax=row[3],
        )  # fmt: skip
        for ax in row:
            ax.set_axis_off()
    titles = "noisy", "cleaned", "masks", "scores from 0.7 on"
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title)
    eqmetrics.plot.average_precision(found, ax=right.subplots())
    figure.savefig(path, dpi=100)


def main(path: Path) -> None:
    train, test = shapes(1200, seed=0), shapes(300, seed=2)
    model = UNet(jax.random.key(0))
    opt_state = optimizer.init(eqx.filter(model, eqx.is_array))
    for batch in batches(train):
        model, opt_state = train_step(model, opt_state, jax.device_put(batch))

    parts = [{k: x[i : i + 128] for k, x in test.items()} for i in range(0, 300, 128)]
    mesh = jax.sharding.Mesh(jax.devices(), "d")
    metrics = eqm.evaluate(eval_step, metrics_for(300), parts, args=(model,), mesh=mesh)
    values = eqm.to_host(metrics)
    print(f"{len(test['labels'])} pictures on {len(jax.devices())} devices")
    print("masks   Dice {Dice:.3f}  HD95 {HD95:.2f} pixels".format(**values))
    print("boxes   mAP {mAP:.3f}".format(**values))
    for name in ("noisy", "cleaned"):
        print(f"{name:<7} SSIM {values[name]['SSIM']:.3f}  PSNR {values[name]['PSNR']:.2f} dB")

    first = jax.device_put({k: x[:3] for k, x in test.items()})
    outputs = {k: np.asarray(x) for k, x in eqx.filter_jit(outputs_of)(model, first).items()}
    draw(path, outputs, metrics["mAP"])
    print(f"Picture: {path}")


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 8)
    parser = argparse.ArgumentParser()
    parser.add_argument("picture", type=Path, nargs="?", default=Path("shapes.png"))
    main(parser.parse_args().picture)
