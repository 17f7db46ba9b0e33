"""How evenly tokens go to the experts of a mixture, or vectors to the codes of a codebook."""

from typing import Any, final, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from .._custom_types import Labels, Mask, Values, Weights
from .._metric.messages import describe
from .._metric.metric import Metric
from .._metric.numbers import check_whole
from .._onepass.sums import Sums
from .._rows.inner import split_mask
from .._rows.quotient import over, xlogy
from .._rows.rows import flat, narrow, Rows, rows, undefined_as


def _assigned(
    experts: Any, num_experts: int, mask: Any, weights: Any
) -> tuple[Rows, Int32[Array, "rows top_k"], Bool[Array, "rows top_k"]]:
    """The tokens, the experts of each, and which of these exist; a token with an expert out of
    range is invalid."""
    if experts.ndim == 0:
        raise TypeError("`experts` is one number, expected the shape `(*tokens, top_k)`.")
    of_rows, there = split_mask(mask, experts, 1, "experts")
    batch = rows(narrow(experts), of_rows, weights, experts.shape[-1:], "experts")
    inside = (batch.values >= 0) & (batch.values < num_experts)
    batch = batch.without(jnp.any(there & ~inside, axis=1))
    return batch, jnp.where(there & inside, batch.values, 0), there & inside


def _dropped(
    dropped: Any, experts: Any, there: Bool[Array, "rows top_k"]
) -> Bool[Array, "rows top_k"]:
    if dropped is None:
        return jnp.zeros_like(there)
    if dropped.shape != experts.shape:
        raise TypeError(
            f"`dropped` is {describe(dropped)} and `experts` is {describe(experts)}: they must "
            "have the same shape."
        )
    return there & flat(dropped, there.shape[1:])


def _probabilities(
    probabilities: Any, experts: Any, num_experts: int
) -> Float32[Array, "rows experts"]:
    wanted = (*experts.shape[:-1], num_experts)
    if probabilities.shape != wanted:
        raise TypeError(
            f"`probabilities` is {describe(probabilities)} and `experts` is {describe(experts)}: "
            f"expected the shape {wanted}, `(*tokens, num_experts)`."
        )
    return flat(probabilities, wanted[-1:]).astype(jnp.float32)


def _shares(counts: Array) -> Array:
    return over(counts, jnp.sum(counts))


def _entropy(shares: Array) -> Array:
    return -jnp.sum(xlogy(shares, shares))


@final
class ExpertLoad(Metric):
    r"""How evenly tokens are routed to the experts of a mixture.

    With $c_i$ assignments to expert $i$ of $n$ experts, its utilisation is
    $u_i = c_i n / \sum_j c_j$: 1 for all experts if they are balanced.

    **Arguments:**

    - `num_experts`: how many there are. For several layers, use one metric each, or
        [`eqmetrics.PerGroup`][].
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: `2 * num_experts + 6` floats. Undefined when: no token was seen. Experts outside of
    [0, num_experts) are invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        load = eqm.training.ExpertLoad(3)(experts=jnp.array([[0, 1], [0, 2]]))
        assert load["utilisation"].tolist() == [1.5, 0.75, 0.75] and load["max_violation"] == 0.5
        ```
    """

    num_experts: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(self, num_experts: int, *, undefined: float | None = None):
        check_whole("num_experts", num_experts)
        self.num_experts = num_experts
        self.undefined = undefined
        valid = f"experts in [0, {num_experts}), weights >= 0 and finite"
        self.sums = Sums(valid, load=num_experts, dropped=(), assigned=())

    def update(
        self,
        *,
        experts: Labels,
        dropped: Mask = None,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`experts` of shape `(*tokens, top_k)`, as the router chose them; `dropped` of the same
        shape says which assignments were dropped. A `mask` of the tokens removes tokens, one of the
        shape of `experts` single assignments."""
        batch, index, there = _assigned(experts, self.num_experts, mask, weights)
        sums = self.sums.add_at(batch, "load", index, there)
        lost = _dropped(dropped, experts, there)
        count = lambda x: jnp.sum(x, axis=1, dtype=jnp.float32)
        # The invalid rows are counted already.
        batch = batch._replace(invalid=None)
        return self.replace(sums=sums.add(batch, dropped=count(lost), assigned=count(there)))

    def compute(self) -> dict[str, Float32[Array, "..."]]:
        """A dict of `utilisation`, of shape `(num_experts,)`; `max_violation`, the largest
        utilisation minus 1; `variation`, the standard deviation of the utilisation; `entropy`, that
        of the shares of the experts, in nats; `dead`, the share of experts without a token; and
        `dropped`, the share of assignments that were dropped."""
        load, dropped, assigned = self.sums.read("load", "dropped", "assigned")
        shares = _shares(load)
        each = shares * self.num_experts
        values = {
            "utilisation": each,
            "max_violation": jnp.max(each) - 1,
            "variation": jnp.std(each),
            "entropy": _entropy(shares),
            "dead": jnp.mean((load == 0).astype(jnp.float32)),
            "dropped": over(dropped, assigned),
        }
        return {n: undefined_as(x, assigned == 0, self.undefined) for n, x in values.items()}


@final
class BalanceLoss(Metric):
    r"""The load-balancing loss of a mixture of experts, over all tokens since `reset`:
    $n \sum_i f_i P_i$, with $f_i$ the share of the assignments that expert $i$ got and $P_i$ the
    mean probability that the router gave it.

    It is 1 if the load is balanced. The mean of the losses of batches is another number, usually a
    larger one: the loss is a product of two means, which here are taken over all tokens.

    **Arguments:**

    - `num_experts`: how many there are.
    - `undefined`: what replaces an undefined value; NaN if not given.

    With `top_k` experts a token the $f_i$ sum to 1, as in Megatron; in transformers they sum to
    `top_k`, and the loss is `top_k` times as large. The gradient is that of the probabilities.
    State: `4 * num_experts + 6` floats. Undefined when: no token was seen. Experts outside of
    [0, num_experts) and probabilities that are negative or NaN are invalid.
    Source: Fedus, Zoph and Shazeer, "Switch transformers", 2021, equation 4, without its factor.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        loss = eqm.training.BalanceLoss(2)
        probabilities = jnp.array([[0.75, 0.25], [0.75, 0.25]])
        assert loss(experts=jnp.array([[0], [0]]), probabilities=probabilities) == 1.5
        ```
    """

    num_experts: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(self, num_experts: int, *, undefined: float | None = None):
        check_whole("num_experts", num_experts)
        self.num_experts = num_experts
        self.undefined = undefined
        self.sums = Sums(
            f"experts in [0, {num_experts}), probabilities >= 0, weights >= 0 and finite",
            load=num_experts,
            probability=num_experts,
            tokens=(),
            assigned=(),
        )

    def update(
        self,
        *,
        experts: Labels,
        probabilities: Values,
        mask: Mask = None,
        weights: Weights = None,
    ) -> Self:
        """`experts` of shape `(*tokens, top_k)`, `probabilities` of shape `(*tokens,
        num_experts)`; `mask` and `weights` have the shape of the tokens."""
        batch, index, there = _assigned(experts, self.num_experts, mask, weights)
        p = _probabilities(probabilities, experts, self.num_experts)
        batch = batch.without(~jnp.all(p >= 0, axis=1))
        sums = self.sums.add_at(batch, "load", index, there)
        batch = batch._replace(invalid=None)  # these are counted already
        count = jnp.sum(there, axis=1, dtype=jnp.float32)
        p = jnp.where(p >= 0, p, 0)
        return self.replace(sums=sums.add(batch, probability=p, tokens=1, assigned=count))

    def compute(self) -> Float32[Array, ""]:
        load, probability, tokens, assigned = self.sums.read(
            "load", "probability", "tokens", "assigned"
        )
        loss = self.num_experts * jnp.sum(over(load, assigned) * over(probability, tokens))
        return undefined_as(loss, assigned == 0, self.undefined)


@final
class CodebookUsage(Metric):
    """How many codes of a codebook, such as that of a VQ-VAE, are in use: the perplexity of the
    codes, and the share that never occurs.

    **Arguments:**

    - `size`: how many codes there are.
    - `undefined`: what replaces an undefined value; NaN if not given.

    The gradient is 0: the value is piecewise constant.
    State: `2 * size + 2` floats. Undefined when: no code was seen. Codes outside of [0, size) are
    invalid.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        usage = eqm.training.CodebookUsage(4)(codes=jnp.array([0, 1, 0, 1]))
        assert abs(usage["perplexity"] - 2) < 1e-6 and usage["dead"] == 0.5
        ```
    """

    size: int = eqx.field(static=True)
    undefined: float | None = eqx.field(static=True)
    sums: Sums

    def __init__(self, size: int, *, undefined: float | None = None):
        check_whole("size", size)
        self.size = size
        self.undefined = undefined
        self.sums = Sums(f"codes in [0, {size}), weights >= 0 and finite", counts=size)

    def update(self, *, codes: Labels, mask: Mask = None, weights: Weights = None) -> Self:
        """`codes` of any shape; every entry is a row."""
        batch, index, there = _assigned(
            jnp.expand_dims(codes, -1),
            self.size,
            mask,
            weights,
        )
        return self.replace(sums=self.sums.add_at(batch, "counts", index, there))

    def compute(self) -> dict[str, Float32[Array, ""]]:
        """A dict of `perplexity`, the exponential of the entropy of the codes (how many codes, used
        equally often, have this entropy); and `dead`, the share of codes that never occur."""
        counts = self.sums.read("counts")
        values = {
            "perplexity": jnp.exp(_entropy(_shares(counts))),
            "dead": jnp.mean((counts == 0).astype(jnp.float32)),
        }
        none = jnp.sum(counts) == 0
        return {n: undefined_as(x, none, self.undefined) for n, x in values.items()}
