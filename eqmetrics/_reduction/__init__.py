from .base import AbstractReduction as AbstractReduction, NAMED as NAMED, run as run
from .pair import EXACT_SUM as EXACT_SUM


exact_sum = EXACT_SUM
