"""What happens in a training run: gradients, updates, activations, experts, codes and drift."""

from ._activations import (
    ActivationCounts as ActivationCounts,
    ActivationSparsity as ActivationSparsity,
    DeadUnits as DeadUnits,
)
from ._population_stability import PopulationStability as PopulationStability
from ._ratio import Ratio as Ratio
from ._tree import groups_of as groups_of
from ._tree_norm import TreeNorm as TreeNorm
from ._update_ratio import UpdateRatio as UpdateRatio
from ._usage import (
    BalanceLoss as BalanceLoss,
    CodebookUsage as CodebookUsage,
    ExpertLoad as ExpertLoad,
)
