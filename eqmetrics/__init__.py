"""Metrics for JAX and Equinox. `__init__.pyi` lists the public names."""

from . import _lazy


__version__ = "0.2.0"

__getattr__, __dir__, __all__ = _lazy.imported_at_first_use(__name__)
