"""The projection of a signal on the filtered versions of another, in float32.

The filter solves a Toeplitz system of the target's autocorrelation. The condition number of this
system is the square of the signal's, so a solution in float32 has errors that hide every residual
below -40 dB. So the Cholesky factor of the system is only a preconditioner for conjugate gradient
steps on the signals themselves (CGLS: Björck, "Numerical methods for least squares problems", 1996,
7.4). A load on its diagonal keeps the system positive definite. The value is computed from the
energy of the residual in time, which errors of the filter change only by their square.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32

from ._signals import Samples, total


LOAD = 1e-5  # of the energy. 1e-6 is too little for low frequencies; 1e-4 takes more steps.
STEPS = 24  # some tens are needed for condition numbers of 1e9; 2 or 3 for speech
SMALL = 1e-16  # of the first squared gradient: further steps would only add rounding

Filter = Float32[Array, "rows taps"]


def _fast(n: int) -> int:
    """The smallest size of at least n that is fast to transform."""
    sizes = []
    for odd in (1, 3, 5, 9, 15):
        size = odd
        while size < n:
            size *= 2
        sizes.append(size)
    return min(sizes)


def _toeplitz(r: Filter) -> Float32[Array, "rows taps taps"]:
    taps = r.shape[-1]
    both = jnp.concatenate([r[:, :0:-1], r], axis=1)
    at = jnp.arange(taps)
    return both[:, (taps - 1) + at[None, :] - at[:, None]]


def _solve(factor: Array, b: Filter) -> Filter:
    x = lax.linalg.triangular_solve(factor, b[..., None], left_side=True, lower=True)
    x = lax.linalg.triangular_solve(factor, x, left_side=True, lower=True, transpose_a=True)
    return x[..., 0]


def projected(p: Samples, t: Samples, taps: int) -> tuple[Samples, Samples]:
    """The target filtered by the `taps` numbers that bring it nearest to the prediction, and the
    rest of the prediction. Both have `taps - 1` more samples than the signals. The energies of `p`
    and `t` must be near 1; a silent target projects to silence."""
    size = t.shape[-1] + taps - 1
    length = _fast(size)
    fft = lambda x: jnp.fft.rfft(x, length)
    back = lambda x, n: jnp.fft.irfft(x, length)[..., :n]
    of_target = fft(t)
    filtered = lambda h: back(of_target * fft(h), size)
    adjoint = lambda x: back(of_target.conj() * fft(x), taps)
    whole = jnp.pad(p, ((0, 0), (0, taps - 1)))
    # The best filter needs no gradient: the gradient of the value is the one at a fixed filter.
    h = lax.stop_gradient(_filter(*lax.stop_gradient((whole, t)), taps, filtered, adjoint))
    near = filtered(h)
    return near, whole - near


def _filter(whole: Samples, t: Samples, taps: int, filtered, adjoint) -> Filter:
    energy = total(t * t)
    size = jnp.where(energy == 0, 1, energy)[:, None]
    one = jnp.pad(t, ((0, 0), (0, taps - 1)))
    r = adjoint(one) / size
    diagonal = jnp.where(energy == 0, 1, r[:, 0] * (1 + LOAD))
    factor = lax.linalg.cholesky(
        _toeplitz(jnp.concatenate([diagonal[:, None], r[:, 1:]], axis=1)),
        symmetrize_input=False,
    )

    def gradient(e: Samples) -> tuple[Filter, Float32[Array, "rows"]]:
        """The preconditioned gradient of the residual, and its square in that norm."""
        g = adjoint(e) / size
        z = _solve(factor, g)
        return z, jnp.sum(g * z, axis=1)

    z, first = gradient(whole)

    def step(carry, _):
        h, e, d, square, least, on = carry
        q = filtered(d)
        length = total(q * q) / size[:, 0]
        alpha = jnp.where(on, square / jnp.where(length > 0, length, 1), 0)[:, None]
        h, e = h + alpha * d, e - alpha * q
        z, new = gradient(e)
        d = z + (new / jnp.where(square > 0, square, 1))[:, None] * d
        on = on & (new > SMALL * first) & (new < 4 * least)
        return (h, e, d, new, jnp.minimum(least, new), on), None

    start = (jnp.zeros_like(z), whole, z, first, first, first > 0)
    return jax.lax.scan(step, start, length=STEPS)[0][0]
