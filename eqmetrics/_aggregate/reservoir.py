from typing import Any, final, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Shaped, UInt32

from .._custom_types import Labels, Mask, Values
from .._metric.field import constant, state
from .._metric.messages import describe
from .._metric.metric import Metric
from .._reduction.pair import inlined
from .._rows.rows import rows, trailing


class Sample(NamedTuple):
    """Rows that were drawn, and which places hold one: all of them, once `k` rows were seen."""

    values: Shaped[Array, "k ..."]
    mask: Bool[Array, "k"]


def _words(key: Array) -> Array:
    """A key of any kind as two words, so that priorities come from one generator: with some others
    the draws under `vmap`, and so the priority of a row, depend on the batch."""
    if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.dtype != jnp.uint32:
        raise TypeError(
            f"`key` is {describe(key)}, expected a key such as `jax.random.key(0)` or "
            "`jax.random.PRNGKey(0)`."
        )
    return jax.random.bits(key, (2,), jnp.uint32)


def _priorities(words: Array, ids: Array) -> Array:
    """63 random bits for each id, as two words; 0 stands for a place without a row."""
    key = jax.random.wrap_key_data(words, impl="threefry2x32")
    each = jax.vmap(jax.random.fold_in)
    keys = each(jnp.broadcast_to(key, ids.shape), ids.astype(jnp.uint32))
    if ids.dtype.itemsize == 8:
        upper = (ids >> 32).astype(jnp.int32)
        # An id has one priority, whatever the width of its type.
        wide = upper != jnp.where(ids < 0, -1, 0)
        keys = jnp.where(wide, each(keys, upper.astype(jnp.uint32)), keys)
    first, second = jax.random.key_data(keys).T
    return jnp.stack([first, second | jnp.uint32(1)], axis=-1)


def _top(k: int, priorities: Array, values: Array) -> tuple[Array, Array]:
    """The rows of the `k` largest priorities, in falling order, each once."""
    # In ascending order of the complements: a place without a row is last.
    first, second = ~priorities[:, 0], ~priorities[:, 1]
    place = lax.iota(jnp.int32, first.shape[0])
    first, second, place = lax.sort((first, second, place), num_keys=2)
    again = jnp.zeros(first.shape, bool).at[1:].set(
        (first[1:] == first[:-1]) & (second[1:] == second[:-1])
    )
    # Stable: repeated rows go to the end, and the rest stays in order.
    again, first, second, place = lax.sort((again, first, second, place), num_keys=1)
    none = jnp.uint32(0xFFFFFFFF)
    first, second = (jnp.where(again, none, x)[:k] for x in (first, second))
    kept = jnp.stack([~first, ~second], axis=-1)
    rest = (1,) * (values.ndim - 1)
    filled = (kept[:, 1] != 0).reshape(-1, *rest)
    return kept, jnp.where(filled, values[place[:k]], jnp.zeros((), values.dtype))


def _fits(new: Any, kept: Any) -> bool:
    """Whether every number of the type `new` is one of the type `kept`; floats may be rounded."""
    if jnp.issubdtype(new, jnp.floating):
        return bool(jnp.issubdtype(kept, jnp.floating))
    if new == jnp.bool_ or new == kept:
        return True
    info = jnp.iinfo(new)
    if jnp.issubdtype(kept, jnp.floating):
        return max(info.max.bit_length(), (-info.min).bit_length()) <= jnp.finfo(kept).nmant + 1
    if kept == jnp.bool_:
        return False
    return jnp.iinfo(kept).min <= info.min and info.max <= jnp.iinfo(kept).max


@inlined
def _updated(key: Array, priorities: Array, values: Array, new: Array, ids: Array, mask):
    batch = rows(new, mask, None, values.shape[1:])
    if ids.shape != new.shape[: new.ndim - values.ndim + 1]:
        raise TypeError(
            f"`ids` is {describe(ids)} and `values` is {describe(new)}: one id for each row, "
            f"of shape {new.shape[: new.ndim - values.ndim + 1]}."
        )
    if not _fits(new.dtype, values.dtype):
        raise TypeError(
            f"`Reservoir` keeps rows as {values.dtype}, and `values` is {describe(new)}: some "
            f"would become others. Build it with `dtype=jnp.{new.dtype}`, or convert them."
        )
    own = _priorities(key, ids.reshape(-1))
    if batch.mask is not None:
        own = jnp.where(batch.mask[:, None], own, jnp.uint32(0))
    joined = (
        jnp.concatenate([priorities, own]),
        jnp.concatenate([values, batch.values.astype(values.dtype)]),
    )
    return _top(len(priorities), *joined)


@inlined
def _merged(left: tuple[Array, Array], right: tuple[Array, Array]) -> tuple[Array, Array]:
    joined = (jnp.concatenate(both) for both in zip(left, right, strict=True))
    return _top(left[0].shape[0], *joined)


@final
class Reservoir(Metric):
    """A uniform sample of the rows of a stream, without replacement, of fixed size.

    Each row has a random priority, a function of `key` and of its id alone, and the `k` rows with
    the largest priorities are kept. So states merge in any order, any number of devices with the
    same key gives the same sample, and an id that comes again is the same row. Ids are required:
    without them two devices would draw the same priorities. The index of a row in its data set is
    an id; so is `step * batch_size + jnp.arange(batch_size)`.

    **Arguments:**

    - `k`: how many rows to keep.
    - `key`: a key of `jax.random`, typed or not. `reset` keeps it; samples of different keys are
        independent.
    - `shape`: the shape of a row, `()` for a number.
    - `dtype`: the type of the rows that are kept, in which theirs must fit: integers of 32 bits
        don't fit float32.

    State: `k` rows, `2 * k + 2` integers. Undefined when: never; places without a row hold NaN
    (integers: 0), and the mask of the sample is false there. There are no weights: a sample that
    favours heavy rows isn't a sample of repeated rows.
    Source: Cohen and Kaplan, "Summarizing data using bottom-k sketches", 2007.

    !!! example

        ```python
        import eqmetrics as eqm, jax, jax.numpy as jnp
        reservoir = eqm.Reservoir(3, jax.random.key(0))
        ids = jnp.arange(100)
        sample = reservoir(ids / 100, ids=ids)
        assert sample.values.shape == (3,) and sample.mask.all()
        ```
    """

    k: int = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)
    key: UInt32[Array, "2"] = constant()
    priorities: UInt32[Array, "{self.k} 2"] = state()  # 0 in a place without a row
    values: Shaped[Array, "{self.k} ..."] = state()

    def __init__(
        self,
        k: int,
        key: Array,
        *,
        shape: int | tuple[int, ...] = (),
        dtype: DTypeLike = jnp.float32,
    ):
        if k < 1:
            raise ValueError(f"k={k}: expected at least 1.")
        self.k = k
        self.shape = trailing(shape)
        self.key = _words(jnp.asarray(key))
        self.priorities = jnp.zeros((k, 2), jnp.uint32)
        self.values = jnp.zeros((k, *self.shape), dtype)

    def update(self, values: Values, *, ids: Labels, mask: Mask = None) -> Self:
        """`values` have the shape `(*rows, *shape)`; `ids` are integers of the shape of the
        rows."""
        kept, chosen = _updated(self.key, self.priorities, self.values, values, ids, mask)
        return self.replace(priorities=kept, values=chosen)

    def merge(self, other: Self) -> Self:
        kept, chosen = _merged(
            (self.priorities, self.values), (other.priorities, other.values)
        )
        return self.replace(priorities=kept, values=chosen)

    def compute(self) -> Sample:
        """The rows, `values` of shape `(k, *shape)` in random order, and their `mask`."""
        mask = self.priorities[:, 1] != 0
        values = self.values
        if jnp.issubdtype(values.dtype, jnp.inexact):
            wide = mask.reshape(-1, *(1,) * len(self.shape))
            values = jnp.where(wide, values, jnp.asarray(jnp.nan, values.dtype))
        return Sample(values, mask)
