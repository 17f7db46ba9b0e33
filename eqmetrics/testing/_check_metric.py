from collections.abc import Iterator, Mapping, Sequence

import jax
import numpy as np

from .._metric.metric import Metric
from .._metric.node import is_metric
from ._laws import Law, LAWS, OF_UNORDERED
from ._subject import Batch, Broken, Subject


class LawError(AssertionError):
    """Raised if a metric breaks a law; the message names both."""


def check_metric(metric: Metric, batches: Sequence[Batch], *, rtol: float = 1e-5) -> None:
    """Checks that a metric obeys the laws, on your own batches.

    - `static state`, `strong types`, `one compilation`: `update` and `merge` keep the pytree, its
        shapes and its dtypes, and no array has a weak type, so that all updates share one program.
    - `purity`: no operation changes its inputs. `reset`: a used metric after `reset` has the bits
        of a new one. `checkpoint`: if it is saved and restored between updates, it ends with the
        same bits.
    - `identity`, `associativity`, `commutativity` of `merge`; `merge = update`: merging the parts
        equals updating with all of them; `step`: returns the updated metric and the value of the
        batch.
    - `split invariance (batches)`, `split invariance (single rows)`,
        `split invariance (empty batch)`: the value doesn't depend on how the rows are split into
        batches.
    - `mask = removal`, `mask = removal (all rows)`: a masked row counts as removed, even if it
        contains NaN or the largest integer. `weights = repetition`: for integer weights.
    - `eager = jit`, `eager = filter_jit`, `eager = vmap`, `eager = scan`, `eager = pmap`,
        `eager = shard_map`, `eager = sharded jit`, `eager = explicit axes`: the value is the same;
        the last four over all devices of this process, the last two on automatic and on explicit
        mesh axes. `reduce = merge`: for stacked states. `donation`: the state can be donated.

    **Arguments:**

    - `metric`: the metric. If it takes no `mask` or `weights`, their laws are skipped. If it is
        ordered, or contains a metric that is, commutativity, split invariance,
        `mask = removal (all rows)` and `reduce = merge` are skipped.
    - `batches`: at least two dicts with the arguments of `update`; the leading axis of each array
        is that of the rows. Three batches of different lengths test the most.
    - `rtol`: the largest difference of floats, relative to the largest value. Integers must be
        equal.

    **Raises:** `LawError`, which names the law and the metric. If the metric raises an exception
    inside a law, this is the `__cause__` of the `LawError`.
    """
    if not is_metric(metric):
        raise TypeError(
            f"`check_metric` got {type(metric).__name__}, expected a metric."
            + (" Build it: add `()`." if isinstance(metric, type) else "")
        )
    if isinstance(batches, Mapping) or not all(isinstance(b, Mapping) for b in batches):
        raise TypeError(
            "`check_metric` takes a list of dicts, the arguments of `update` by name: "
            "`[{'values': x}, {'values': y}, {'values': z}]`."
        )
    if len(batches) < 2:
        raise ValueError("`check_metric` needs at least two batches; three show most.")
    subject = Subject(metric, batches, rtol)
    for name, law in _asked(subject):
        broken = f"`{type(metric).__qualname__}` breaks the law of {name}: "
        try:
            law(subject)
        except Broken as e:
            raise LawError(f"{broken}{e}.") from None
        except Exception as e:
            raise LawError(f"{broken}it raised {type(e).__name__}: {e}") from e
    values = [np.asarray(x) for x in jax.tree.leaves(subject.after.compute())]
    if all(np.all(x != x) for x in values):
        raise ValueError(
            f"`check_metric`: the value of `{type(metric).__qualname__}` on these batches is "
            "NaN, and NaN obeys every law. Are there enough rows, and are they valid? "
            "`metric.update(...).check()` tells."
        )


def _asked(t: Subject) -> Iterator[tuple[str, Law]]:
    for name, law in LAWS.items():
        untaken = any(name.startswith(x) and x not in t.takes for x in ("mask", "weights"))
        if not untaken and not (t.ordered and name in OF_UNORDERED):
            yield name, law
