"""Distances, similarities and kernels of each row of one array with each row of another."""

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
