"""What callers may pass: NumPy arrays and Python numbers too. They are converted before the
annotations are checked, so that at run time, and in messages, there are jax arrays alone."""

from typing import TYPE_CHECKING

from jaxtyping import Bool, Integer, Shaped


if TYPE_CHECKING:
    from jax.typing import ArrayLike as Input
else:
    from jax import Array as Input


Values = Shaped[Input, "..."]
Labels = Integer[Input, "..."] | Bool[Input, "..."]
Mask = Bool[Input, "..."] | None
Weights = Shaped[Input, "..."] | None
