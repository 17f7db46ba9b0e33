"""Every row of one array beside every row of another: distances, similarities and kernels."""

from ._distances import (
    euclidean as euclidean,
    haversine as haversine,
    manhattan as manhattan,
    minkowski as minkowski,
    squared_euclidean as squared_euclidean,
)
from ._kernels import (
    chi2 as chi2,
    cosine_similarity as cosine_similarity,
    dot as dot,
    laplacian as laplacian,
    polynomial as polynomial,
    rbf as rbf,
    sigmoid as sigmoid,
)
