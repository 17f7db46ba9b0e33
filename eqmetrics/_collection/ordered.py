"""Dicts that keep the order of a collection when they pass through jax, which sorts keys."""

from typing import Any

import equinox as eqx
import jax


class _Members(eqx.Module):
    """A dict as a pytree whose order jax doesn't change."""

    names: tuple[str, ...] = eqx.field(static=True)
    values: tuple[Any, ...]


def _is_dict(x: Any) -> bool:
    return isinstance(x, dict)


def in_order(tree: Any) -> Any:
    def one(x):
        if not _is_dict(x):
            return x
        return _Members(tuple(x), tuple(in_order(v) for v in x.values()))

    return jax.tree.map(one, tree, is_leaf=_is_dict)


def plain_dicts(tree: Any) -> Any:
    def one(x):
        if not isinstance(x, _Members):
            return x
        return {n: plain_dicts(v) for n, v in zip(x.names, x.values, strict=True)}

    return jax.tree.map(one, tree, is_leaf=lambda x: isinstance(x, _Members))
