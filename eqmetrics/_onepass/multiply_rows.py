import functools as ft

from .operation import AbstractOperation, register
from .side_by_side import SideBySide


class MultiplyRows(AbstractOperation):
    """`multiply_rows(left, right)(*columns)`: the products of the columns with these indices. A
    single one could be a plain multiplication; as an operation, those of all members are one
    kernel."""

    operands = ("rows",)

    def __init__(self, left: tuple[int, ...], right: tuple[int, ...]):
        self.left, self.right = left, right
        self.results = ("rows",) * len(left)

    def placeholder(self, *operands):
        return tuple(operands[i] for i in self.left)

    def alone(self, *operands):
        return self.together([(self, list(operands))])[0]

    @classmethod
    def together(cls, many):
        columns = {id(x): x for _, operands in many for x in operands}
        number = {key: k for k, key in enumerate(columns)}
        pairs = {
            (number[id(x[i])], number[id(x[j])]): None
            for op, x in many
            for i, j in zip(op.left, op.right, strict=True)
        }
        products = SideBySide([*columns.values()]).products([*pairs])
        found = dict(zip(pairs, products, strict=True))
        return [
            tuple(
                found[number[id(x[i])], number[id(x[j])]]
                for i, j in zip(op.left, op.right, strict=True)
            )
            for op, x in many
        ]

    def by_group(self, groups, *operands):
        return self.alone(*operands)

    def by_replicate(self, weights, *operands):
        return self.alone(*operands)

    def by_row(self, rows, *operands):
        return self.alone(*operands)


@ft.cache
def multiply_rows(left: tuple[int, ...], right: tuple[int, ...]) -> MultiplyRows:
    return register(MultiplyRows(left, right))
