"""All operations."""

from .add_cells import ADD_CELLS as ADD_CELLS
from .deviate import DEVIATE as DEVIATE
from .max_rows import max_rows as max_rows
from .multiply_rows import multiply_rows as multiply_rows
from .operation import Groups as Groups
from .sum_rows import Block as Block, sum_rows as sum_rows
