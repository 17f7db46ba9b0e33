"""Determines which values of an `update` belong to single rows.

This is read from its jaxpr. A value belongs to the rows if its first axes are those of the rows and
each entry depends only on its own row. A value that mixes rows (a batch mean, a sort, a sum)
belongs to the batch. If rows enter the new state only through operations (`operation.py`), the
`update` treats each row separately, and all groups can be updated in one pass.
"""

from typing import Any


_ELEMENTWISE = frozenset(
    """
    abs acos acosh add and asin asinh atan atan2 atanh bessel_i0e bessel_i1e bitcast_convert_type
    cbrt ceil clamp complex conj convert_element_type copy cos cosh digamma div eq erf erf_inv erfc
    exp exp2 expm1 floor ge gt igamma igammac imag integer_pow is_finite le lgamma log log1p
    logistic lt max min mul ne neg nextafter not optimization_barrier or pcast population_count pow
    pvary random_unwrap real reduce_precision rem reshard round rsqrt select_n shift_left
    shift_right_arithmetic shift_right_logical sign sin sinh sqrt square stop_gradient sub tan tanh
    xor eq_to le_to lt_to
    """.split()
)
_ALONG_AXES = frozenset(
    "argmax argmin reduce_and reduce_max reduce_min reduce_or reduce_prod reduce_sum".split()
)
# On matrices, which are the last two axes.
_OF_MATRICES = frozenset("cholesky eigh lu qr svd triangular_solve".split())
_ALONG_AXIS = frozenset("cumlogsumexp cummax cummin cumprod cumsum".split())


def leading(shape: tuple[Any, ...], rows: int) -> int | None:
    """The number of first axes that are those of the rows. Each row may have become several
    adjacent ones, as after joining axes."""
    size = 1
    for i, n in enumerate(shape):
        size *= n
        if size == rows or (i == 0 and rows and size > rows and size % rows == 0):
            return i + 1
    return None


def of_rows(eqn: Any, given: list[bool], rows: int) -> bool:
    """Whether the results of an equation belong to the rows, if the operands marked in `given` do
    and the others have no level."""
    name, params = eqn.primitive.name, eqn.params
    shapes = [v.aval.shape for v in eqn.invars]
    first = next(s for s, is_given in zip(shapes, given, strict=True) if is_given)
    lead = leading(first, rows)
    if lead is None or any(leading(v.aval.shape, rows) is None for v in eqn.outvars):
        return False
    if name in _ELEMENTWISE:
        return True
    if name in _ALONG_AXES:
        return all(a >= lead for a in params["axes"])
    if name in _ALONG_AXIS:
        return params["axis"] >= lead
    if name in _OF_MATRICES:
        # Each row needs its own matrix: no operand may be shared, and the rows may not be an axis
        # of a matrix.
        return all(given) and all(len(s) >= lead + 2 for s in shapes)
    if name == "fft":
        return len(first) - len(params["fft_lengths"]) >= lead
    if name == "sort":
        return params["dimension"] >= lead
    if name == "top_k":
        return params.get("axis", len(first) - 1) % len(first) >= lead
    if name == "broadcast_in_dim":
        kept = params["broadcast_dimensions"]
        return all(kept[i] == i and params["shape"][i] == first[i] for i in range(lead))
    if name == "squeeze":
        return all(a >= lead for a in params["dimensions"])
    if name in ("reshape", "expand_dims"):
        # In row-major order the rows stay the first axes, one or several.
        return (
            params.get("dimensions") is None
            and leading(eqn.outvars[0].aval.shape, rows) is not None
        )
    if name in ("concatenate", "split"):
        return params["dimension" if name == "concatenate" else "axis"] >= lead
    if name == "stack":
        return params["axis"] >= lead
    if name == "slice":
        strides = params["strides"] or (1,) * len(first)
        return all(
            params["start_indices"][i] == 0
            and params["limit_indices"][i] == first[i]
            and strides[i] == 1
            for i in range(lead)
        )
    if name == "dynamic_slice":
        # The start is the same for all rows, and the axes of the rows are taken whole.
        whole = params["slice_sizes"][:lead] == first[:lead]
        return given[0] and not any(given[1:]) and whole
    if name == "pad":
        return all(c == (0, 0, 0) for c in params["padding_config"][:lead])
    if name == "transpose":
        return params["permutation"][:lead] == tuple(range(lead))
    if name == "rev":
        return all(a >= lead for a in params["dimensions"])
    if name == "dot_general":
        (left, _), (left_batch, right_batch) = params["dimension_numbers"]
        if all(given):
            own = tuple(range(lead))
            return tuple(left_batch[:lead]) == own == tuple(right_batch[:lead])
        return given[0] and not left_batch and all(a >= lead for a in left)
    if name == "gather":
        numbers = params["dimension_numbers"]
        if given[0] and not given[1]:
            # Takes the same entries of each row: the slices contain the axes of the rows whole, and
            # these come first in the result. (Offset axes keep the order of the operand's axes.)
            moved = numbers.collapsed_slice_dims, numbers.start_index_map
            taken = {*moved[0], *moved[1], *numbers.operand_batching_dims}
            whole = params["slice_sizes"][:lead] == first[:lead] and not taken & set(range(lead))
            return whole and numbers.offset_dims[:lead] == tuple(range(lead))
        if given[0]:
            batched = (
                numbers.operand_batching_dims[:lead],
                numbers.start_indices_batching_dims[:lead],
            )
            own = tuple(range(lead))
            return given[1] and batched == (own, own) and not set(numbers.offset_dims) & set(own)
        # Each row gives the index of an entry in a table.
        return not set(numbers.offset_dims) & set(range(lead))
    return False
