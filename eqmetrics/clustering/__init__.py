"""Scores of clusterings; association of nominal variables; agreement of raters."""

from ._adjusted import AdjustedMutualInformation as AdjustedMutualInformation
from ._association import (
    ContingencyCoefficient as ContingencyCoefficient,
    CramersV as CramersV,
    GoodmanKruskalLambda as GoodmanKruskalLambda,
    TheilsU as TheilsU,
    TschuprowsT as TschuprowsT,
)
from ._features import ClusterBuffer as ClusterBuffer, ClusterMoments as ClusterMoments
from ._fleiss_kappa import FleissKappa as FleissKappa
from ._information import (
    Completeness as Completeness,
    Homogeneity as Homogeneity,
    MutualInformation as MutualInformation,
    NormalizedMutualInformation as NormalizedMutualInformation,
    VariationOfInformation as VariationOfInformation,
    VMeasure as VMeasure,
)
from ._krippendorff_alpha import (
    Coincidences as Coincidences,
    KrippendorffAlpha as KrippendorffAlpha,
)
from ._matching import BCubed as BCubed, ClusterAccuracy as ClusterAccuracy, Purity as Purity
from ._pairs import (
    AdjustedRandScore as AdjustedRandScore,
    FowlkesMallows as FowlkesMallows,
    PairConfusion as PairConfusion,
    RandScore as RandScore,
)
from ._silhouette import Silhouette as Silhouette, SquaredSilhouette as SquaredSilhouette
from ._spread import CalinskiHarabasz as CalinskiHarabasz, DaviesBouldin as DaviesBouldin
from ._table import ContingencyCounts as ContingencyCounts, ContingencyMatrix as ContingencyMatrix
