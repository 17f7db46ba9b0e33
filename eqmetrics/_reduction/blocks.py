"""How many rows are reduced on a CPU: in blocks."""

from jaxtyping import Array, Shaped


# From so many rows on it is worth the kernels, which must be compiled.
LONG = 8192


def in_blocks(
    x: Shaped[Array, "*shape rows"],
) -> tuple[Shaped[Array, "*shape 8 _"], Shaped[Array, "*shape _"]]:
    """Eight blocks of rows, to be reduced to one, and the rows that are left. LLVM leaves a loop
    over more than eight expensive entries as a loop, without vectors. A block is a multiple of 16
    rows: if the next one isn't aligned, a sum takes five times as long.

    Some rows are always left. So `x` has two readers, and XLA's CPU, which doesn't compute
    expensive entries twice, computes them before, in a kernel of their own."""
    rows = x.shape[-1]
    whole = (rows - 1) // 128 * 128
    return x[..., :whole].reshape(*x.shape[:-1], 8, whole // 8), x[..., whole:]
