from collections.abc import Iterable, Iterator
from typing import Any

import jax


@jax.tree_util.register_pytree_with_keys_class
class States:
    """The states that a `MetricDict` keeps, in the order of their slots. Each has the name of a
    member whose own it is: what speaks of paths (jax's errors, Orbax, `tree_leaves_with_path`)
    then says `states['loss'].total`. A dict would sort them, and older files keep this order."""

    def __init__(self, names: Iterable[str], values: Iterable[Any]):
        self.names: tuple[str, ...] = tuple(names)
        self.values: tuple[Any, ...] = tuple(values)

    def tree_flatten_with_keys(self) -> tuple[Any, tuple[str, ...]]:
        keys = map(jax.tree_util.DictKey, self.names)
        return tuple(zip(keys, self.values, strict=True)), self.names

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[str, ...]]:
        return self.values, self.names

    @classmethod
    def tree_unflatten(cls, names: tuple[str, ...], values: Iterable[Any]) -> "States":
        return cls(names, values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, at: int | str) -> Any:
        return self.values[self.names.index(at) if isinstance(at, str) else at]

    def __repr__(self) -> str:
        return f"States({', '.join(self.names)})"
