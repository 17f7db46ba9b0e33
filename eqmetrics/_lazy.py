"""Public names that are imported when they are first used.

Equinox takes a millisecond to make a class, which is a quarter of a second for all. So a program
pays for the metrics that it names. Where each name is from stands once, in `__init__.pyi`, which
type checkers read, too: SPEC 1 of the Scientific Python projects
(https://scientific-python.org/specs/spec-0001), as scikit-image and NetworkX do it.
"""

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pkgutil import get_data
from typing import Any


def _modules(package: str) -> dict[str, str]:
    """For each name that the stub of a package imports, the module that it is imported from; for a
    subpackage, the package."""
    stub = ast.parse(get_data(package, "__init__.pyi") or b"")
    return {
        name.name: "." * node.level + (node.module or "")
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }


def imported_at_first_use(
    package: str,
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package whose stub imports its public names. A
    subpackage isn't in `__all__`, since it may need an optional library."""
    modules = _modules(package)
    shelves = [name for name, module in modules.items() if module == "."]
    names = [name for name in modules if name not in shelves]

    def __getattr__(name: str) -> Any:
        if name in shelves:
            return import_module(f".{name}", package)
        if name in modules:
            value = getattr(import_module(modules[name], package), name)
            setattr(sys.modules[package], name, value)  # so that it is found without us next time
            return value
        from ._metric.mistakes import name_meant

        close = name_meant(name, names, shelves, package)
        raise AttributeError(f"module {package!r} has no attribute {name!r}.{close}")

    def __dir__() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return __getattr__, __dir__, names
