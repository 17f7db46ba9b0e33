"""What the axes and the numbers of an image mean, and the images of a batch in one form."""

import dataclasses
import math
from typing import Any, ClassVar, final, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32

from .._metric.messages import describe
from .._metric.numbers import plain_numbers
from .._rows.inner import split_mask
from .._rows.rows import Rows, rows


@final
@plain_numbers
@dataclasses.dataclass(frozen=True)
class Image:
    """What the numbers and the axes of an image mean: static, and never guessed from the data.

    **Arguments:**

    - `data_range`: the largest value that a pixel can have minus the smallest: 1.0, or 255 for 8
        bits. Metrics that need it raise an error without it; it is never taken from the data.
    - `channel_axis`: `-1` (flax, TensorFlow), `-3` (Equinox, PyTorch), or `None` for images of
        shape `(height, width)`, without an axis of channels.
    - `channels`: the number of channels; images with another number are an error. Not checked if
        not given.

    !!! example

        ```python
        import eqmetrics as eqm
        first = eqm.image.Image(data_range=1.0, channel_axis=-3, channels=3)  # as in Equinox
        assert first == eqm.image.Image(1.0, channel_axis=-3, channels=3)
        ```
    """

    built_as: ClassVar[str] = "what pixels are, as `eqm.image.Image(data_range=1.0)`"
    data_range: float | None = None
    channel_axis: int | None = -1
    channels: int | None = None

    def __post_init__(self) -> None:
        size = self.data_range
        if size is not None and not 0 < size < math.inf:
            raise ValueError(f"data_range={size}: expected a number above 0.")
        if self.channel_axis not in (-1, -3, None):
            raise ValueError(
                f"channel_axis={self.channel_axis!r}: expected -1 (channels last), -3 (channels "
                "first) or None (no axis of channels)."
            )
        if self.channels is not None and self.channels < 1:
            raise ValueError(f"channels={self.channels}: expected a number of at least 1.")

    @property
    def inner(self) -> int:
        """The number of axes of an image."""
        return 2 if self.channel_axis is None else 3

    @property
    def axes(self) -> str:
        """The axes of an image, in words."""
        names = {-1: "height, width, channels", -3: "channels, height, width"}
        return names.get(self.channel_axis or 0, "height, width")

    def range_for(self, metric: str) -> float:
        if self.data_range is None:
            raise ValueError(
                f"`{metric}` needs the `data_range` of the images: what the largest value can be "
                f"less the smallest, as in `{metric}(eqm.image.Image(data_range=1.0))` for values "
                "in [0, 1], and 255 for 8 bits. It is never read off a batch."
            )
        return self.data_range


class Planes(NamedTuple):
    """Images as `(rows, outer, height, width, inner)`: the channels are `outer` or `inner`, and the
    other axis has length 1, so that no axis is moved. Masked pixels are 0."""

    batch: Rows
    arrays: tuple[Float32[Array, "rows outer height width inner"], ...]
    keep: Bool[Array, "rows 1 height width 1"] | None  # which pixels count; None: all
    taken: Bool[Array, "rows ..."] | None  # `keep` and the mask of the rows; None: all

    def plane(self, x: Array) -> Float32[Array, "rows outer height width inner"]:
        """Another array of the shape of the images, in this form."""
        x = x.reshape(self.arrays[0].shape).astype(jnp.float32)
        # Set to zero first: a NaN that is dropped only at the end makes the gradient NaN.
        return x if self.taken is None else jnp.where(self.taken, x, 0)

    def without(self, bad: Bool[Array, "rows outer height width inner"]) -> "Planes":
        """The images; a row with a bad pixel among those that count is now invalid."""
        if self.keep is not None:
            bad = bad & self.keep
        return self._replace(batch=self.batch.without(jnp.any(bad, axis=(1, 2, 3, 4))))


def planes(image: Image, mask: Any, weights: Any, **arrays: Any) -> Planes:
    """The images by name, of shape `(*rows, *image)`. A mask with the axes of the rows removes
    images; one of shape `(*rows, height, width)` removes pixels."""
    (first, like), *_ = arrays.items()
    for name, x in arrays.items():
        if x.ndim < image.inner:
            raise TypeError(
                f"`{name}` is {describe(x)}, expected images of shape (*rows, {image.axes}). "
                "Say which axis holds the channels: `eqm.image.Image(channel_axis=...)`, "
                "-1, -3 or None."
            )
        if x.shape != like.shape:
            raise TypeError(
                f"`{first}` is {describe(like)} and `{name}` is {describe(x)}: they must have "
                "the same shape. Squeeze or reshape one: nothing is broadcast."
            )
    shape = like.shape[like.ndim - image.inner :]
    outer, inner = 1, 1
    if image.channel_axis == -1:
        inner = shape[2]
    elif image.channel_axis == -3:
        outer = shape[0]
    if image.channels not in (None, outer * inner):
        raise TypeError(
            f"`{first}` is {describe(like)}, with {outer * inner} channels in the axis "
            f"{image.channel_axis}, expected {image.channels}: "
            f"`eqm.image.Image(channel_axis={-4 - (image.channel_axis or 0)})` reads the other."
        )
    height, width = shape[1:] if image.channel_axis == -3 else shape[:2]
    of_rows, keep = _split(mask, like, image, (height, width))
    batch = rows(like, of_rows, weights, shape, first)
    for name, x in arrays.items():
        rows(x, None, None, shape, name)  # real numbers
    taken = None if batch.mask is None else batch.mask[:, None, None, None, None]
    if keep is not None:
        taken = keep if taken is None else keep & taken
    count = batch.values.shape[0]
    form = jnp.zeros((count, outer, height, width, inner), bool)
    view = Planes(batch, (form,), keep, taken)
    return view._replace(arrays=tuple(view.plane(x) for x in arrays.values()))


def _split(
    mask: Any, like: Array, image: Image, pixels: tuple[int, int]
) -> tuple[Any, Bool[Array, "rows 1 height width 1"] | None]:
    leading = like.ndim - image.inner
    if mask is None or mask.ndim <= leading:
        return mask, None
    whole = like.shape[:leading] + pixels
    if mask.shape != whole:
        raise TypeError(
            f"`mask` is {describe(mask)} and the images are {describe(like)}: a mask has the shape "
            f"{like.shape[:leading]} of the rows, and removes images, or {whole}, and removes "
            "pixels. One with channels becomes that by `mask.all(axis=...)`."
        )
    _, keep = split_mask(mask, mask, 2, "predictions")
    return None, keep[:, None, :, :, None]
