import functools as ft
import math
from typing import final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._rows.squares import square
from .mean_error import AbstractLossSums, AbstractMeanLoss, Within
from .paired import Multioutput


@ft.cache
def _weights_and_nodes() -> list[tuple[float, float]]:
    """Of the Gauss-Legendre quadrature from 0 to 1. Not computed at `import eqmetrics`, which
    loading `numpy.polynomial` would slow down."""
    nodes, weights = np.polynomial.legendre.leggauss(6)
    return list(zip((weights / 2).tolist(), (nodes / 2 + 0.5).tolist(), strict=True))


def _near(power: float, d: Array) -> Array:
    """The remainder of the Taylor series as an integral, accurate to float32 for |d| < 0.3: the
    terms of the deviance of two close numbers cancel, and this has no difference."""
    parts = (w * (1 - u) * (1 + u * d) ** -power for w, u in _weights_and_nodes())
    return d * d * sum(parts)


def _log_like(x: Array, a: float) -> Array:
    """`(x^a - 1) / a`, which is `log(x)` for `a = 0`; `x` is positive."""
    log = jnp.log(x)
    if abs(a) < 1e-9:
        return log
    small = jnp.abs(a * log) < 0.7
    near = jnp.expm1(jnp.where(small, a * log, 0))
    return jnp.where(small, near, x**a - 1) / a


def relative(power: float, d: Array, x: Array) -> Array:
    """The unit deviance of `t = (1 + d) p`, in units of `2 * p ** (2 - power)`; `power` isn't 0.
    `x` is `max(t, 0) / p`, which is lost in `1 + d` where `t` is small."""
    # x^b / (a b) - x / a + 1 / b, in a form that doesn't cancel where a or b is small: for the
    # powers 1 and 2 it has a limit, but no value.
    a, b = 1 - power, 2 - power
    some = jnp.where(x > 0, x, 1)
    if power < 1.5:
        far = (some * _log_like(some, a) - d) / b
    else:
        far = (d - _log_like(some, b)) / -a
    if power < 2:  # for t = 0, and for negative t
        far = jnp.where(x > 0, far, 1 / b - ((1 + d) / a if power < 0 else 0))
    close = jnp.abs(d) < 0.3
    return jnp.where(close, _near(power, jnp.where(close, d, 0)), far)


def deviance(power: float, predictions: Array, targets: Array, errors: Array) -> Array:
    """The unit deviance: a Bregman divergence, 0 where the two are equal."""
    p, t = predictions, targets
    if power == 0:
        return square(errors)
    return 2 * p ** (2 - power) * relative(power, -errors / p, jnp.maximum(t, 0) / p)


def check_power(power: float) -> None:
    if not (power <= 0 or 1 <= power < math.inf) or power == -math.inf:
        raise ValueError(
            f"power={power}: expected a finite number of at most 0 or at least 1. Between 0 and "
            "1 there is no Tweedie distribution."
        )


def domain(power: float) -> str:
    if power == 0:
        return "weights >= 0 and finite"
    of_targets = "" if power < 0 else "targets >= 0, " if power < 2 else "targets > 0, "
    return f"predictions > 0, {of_targets}weights >= 0 and finite"


def in_domain(power: float, predictions: Array, targets: Array) -> Array:
    """False where a value is outside the domain. NaN isn't: it propagates."""
    outside = jnp.zeros(targets.shape, bool) if power == 0 else predictions <= 0
    if power >= 1:
        outside |= (targets < 0) if power < 2 else (targets <= 0)
    return ~outside


@final
class Tweedie(AbstractMeanLoss):
    r"""The mean deviance of a Tweedie distribution, whose variance is proportional to the mean to
    the power $p$. With the prediction $\mu$ and the target $t$:

    - $p = 0$ (normal): $(t - \mu)^2$;
    - $p = 1$ (Poisson): $2 (t \ln(t / \mu) - t + \mu)$;
    - $p = 2$ (gamma): $2 (\ln(\mu / t) + t / \mu - 1)$;
    - else $2 \left(\frac{\max(t, 0)^{2-p}}{(1-p)(2-p)} - \frac{t \mu^{1-p}}{1-p}
        + \frac{\mu^{2-p}}{2-p}\right)$.

    **Arguments:**

    - `power`: $p$; at most 0, or at least 1.
    - `outputs`: how many columns, or their shape; `()`: every entry is a row.
    - `multioutput`: `"uniform_average"` of the columns, their `"raw_values"`, or a weight for
        each.
    - `undefined`: what replaces an undefined value; NaN if not given.

    State: `2 * prod(outputs) + 4` floats. Undefined when: the weights sum to 0. Predictions of 0 or
    less are invalid unless `power` is 0, and so are negative targets for a `power` of 1 or more,
    and targets of 0 for one of 2 or more.
    Source: Jørgensen, The Theory of Dispersion Models, 1997.

    !!! example

        ```python
        import eqmetrics as eqm, jax.numpy as jnp
        poisson = eqm.Tweedie(power=1.0)
        assert poisson(predictions=jnp.array([1.0, 3.0]), targets=jnp.array([1.0, 0.0])) == 3.0
        ```
    """

    power: float = eqx.field(static=True, kw_only=True)

    def __init__(
        self,
        power: float = 0.0,
        *,
        outputs: int | tuple[int, ...] = (),
        multioutput: Multioutput = "uniform_average",
        undefined: float | None = None,
    ):
        check_power(power)
        self.power = float(power)
        AbstractLossSums.__init__(
            self, outputs=outputs, multioutput=multioutput, undefined=undefined
        )

    @property
    def valid(self) -> str:
        return domain(self.power)

    def losses(self, predictions: Array, targets: Array, errors: Array) -> Within:
        losses = deviance(self.power, predictions, targets, errors)
        return Within(losses, in_domain(self.power, predictions, targets))
