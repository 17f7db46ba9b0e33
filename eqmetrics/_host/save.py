"""Files that describe their contents: a format line, a line of JSON with the configuration and
shapes of the tree, its arrays as `eqx.tree_serialise_leaves` writes them, and their checksum."""

import contextlib
import errno
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TypeVar
from zlib import crc32

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._collection.metric_dict import MetricDict
from .._collection.route import parameters
from .._collection.states import closed, opened
from .._metric.field import layout
from .._metric.messages import describe
from .._metric.node import is_metric
from .checked_file import CheckedFile
from .to_host import local


_T = TypeVar("_T")
_FORMAT = 2
_MAGIC = b"eqmetrics format "
_MOST_TOLD = 6


def _text(x: Any) -> str:
    """Static configuration as text that is the same in another process: for a function its name and
    the names of its parameters."""
    if isinstance(x, np.generic):
        return repr(x.item())
    if isinstance(x, np.ndarray):
        return f"{x.dtype} {x.tolist()}"
    if isinstance(x, (tuple, list)):
        return f"({', '.join(map(_text, x))})"
    if isinstance(x, dict):
        return f"{{{', '.join(f'{_text(k)}: {_text(v)}' for k, v in x.items())}}}"
    if isinstance(x, type):
        return x.__qualname__
    if callable(x):
        with contextlib.suppress(TypeError, ValueError):  # it has no signature
            return f"{getattr(x, '__qualname__', type(x).__qualname__)}({', '.join(parameters(x))})"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(x))


def _lines_of_metric(metric: Any, path: str) -> Iterator[tuple[str, str]]:
    yield path, type(metric).__qualname__
    if isinstance(metric, MetricDict):
        # The members, as the user named them, not the slots and shared states that represent them.
        yield f"{path}.names", _text(metric.names)
        yield f"{path}.states", _text(tuple(type(s) for s in metric.states))
        for name, member in metric.members().items():
            yield from _lines_of_metric(member, f"{path}[{name!r}]")
        return
    declared = layout(type(metric))
    for name in declared.static:
        yield f"{path}.{name}", _text(getattr(metric, name))
    for name in declared.arrays + declared.nested:
        yield from _lines_of(getattr(metric, name), f"{path}.{name}")


def _lines_of(tree: Any, path: str) -> Iterator[tuple[str, str]]:
    for key, leaf in jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_metric)[0]:
        where = path + jax.tree_util.keystr(key)
        if is_metric(leaf):
            yield from _lines_of_metric(leaf, where)
        elif isinstance(leaf, (jax.Array, np.ndarray, np.generic, jax.ShapeDtypeStruct)):
            yield where, describe(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype))
        elif isinstance(leaf, (bool, int, float, complex)):
            yield where, type(leaf).__qualname__


def _structure(tree: Any) -> dict[str, str]:
    """Everything that must be equal when the arrays are loaded, by its path."""
    found: dict[str, str] = {}
    arrays, static = eqx.partition(tree, lambda x: eqx.is_array(x) or _is_shape(x))

    def trace(arrays: Any) -> None:
        # Traced, since reading members from shared statistics computes, and `like` may contain only
        # shapes.
        found.update(_lines_of(eqx.combine(arrays, static), ""))

    jax.eval_shape(trace, arrays)
    return found


def _is_shape(x: Any) -> bool:
    return isinstance(x, jax.ShapeDtypeStruct)


def _is_key(x: Any) -> bool:
    return isinstance(x, (jax.Array, jax.ShapeDtypeStruct)) and jnp.issubdtype(
        x.dtype, jax.dtypes.prng_key
    )


def _data(x: Any) -> Any:
    """The data of a random key, which NumPy can write; for the shape of a key, the shape of its
    data."""
    if not _is_key(x):
        return x
    return jax.eval_shape(jax.random.key_data, x) if _is_shape(x) else jax.random.key_data(x)


def _as_in(like: Any, x: Any) -> Any:
    if not _is_key(like):
        return x
    kind = []
    jax.eval_shape(lambda key: kind.append(jax.random.key_impl(key)), like)
    return jax.random.wrap_key_data(x, impl=kind[0])


def save(path: str | Path | BinaryIO, tree: Any) -> None:
    """Writes a pytree, such as a training state, together with the configuration of the metrics in
    it.

    For the rest of the tree, it writes arrays, random keys and Python numbers, as
    `eqx.tree_serialise_leaves` does, with their shapes and types. An existing file is replaced only
    when the new one is complete.

    **Arguments:**

    - `path`: the path of the file, or a binary file that is open for writing.
    - `tree`: any pytree.

    !!! example

        ```python
        import eqmetrics as eqm, io, jax.numpy as jnp
        file = io.BytesIO()
        eqm.save(file, eqm.Average().update(jnp.array([1.0, 3.0])))
        file.seek(0)
        assert eqm.load(file, eqm.Average()).compute() == 2.0
        ```
    """
    from .. import __version__

    tree = local(tree)
    header = {"eqmetrics": __version__, "structure": _structure(tree)}

    line = json.dumps(header).encode() + b"\n"
    first = b"%s%d %s\n" % (_MAGIC, _FORMAT, _sum_of(line))

    def write(file: BinaryIO) -> None:
        file.write(first + line)
        arrays = CheckedFile(file)
        eqx.tree_serialise_leaves(arrays, jax.tree.map(_data, opened(tree)))
        file.write(_last(arrays))

    if not isinstance(path, (str, Path)):
        return write(path)
    path = Path(path)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with open(new, "wb") as file:
            write(file)
            # The new file must be on the disk before it replaces the old one.
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except Exception as e:
        if not _disk_is_full(e):
            raise
        raise OSError(
            errno.ENOSPC, f"`eqm.save`: the disk is full, and `{path}` is as it was"
        ) from e
    finally:
        new.unlink(missing_ok=True)


def _sum_of(line: bytes) -> bytes:
    return b"%08x" % crc32(line)


def _last(arrays: CheckedFile) -> bytes:
    return b"crc32 %08x\n" % arrays.sum


def _disk_is_full(e: BaseException | None) -> bool:
    """Whether the disk was full: for an array, Equinox raises another error from this one."""
    while e is not None and not (isinstance(e, OSError) and e.errno == errno.ENOSPC):
        e = e.__cause__
    return e is not None


def load(path: str | Path | BinaryIO, like: _T) -> _T:
    """Reads what [`eqmetrics.save`][] wrote.

    Raises a `ValueError` that names the difference if the file has another configuration than
    `like` (another `average` or task, other members, other shapes), or if one bit of the file has
    changed. Functions are compared by name and parameters; their code isn't saved.

    **Arguments:**

    - `path`: the path of the file, or a binary file that is open for reading.
    - `like`: a pytree of the same structure and configuration, built as the saved one was; or
        its shapes alone, `eqx.filter_eval_shape(new_state)`.

    **Returns:** `like` with the arrays of the file.

    !!! example

        ```python
        import eqmetrics as eqm, io, pytest
        file = io.BytesIO()
        eqm.save(file, eqm.F1(eqm.Multiclass(10), average="micro"))
        file.seek(0)
        with pytest.raises(ValueError, match="`average` is 'micro' in the file and 'macro' here"):
            eqm.load(file, eqm.F1(eqm.Multiclass(10)))
        ```
    """
    if isinstance(path, (str, Path)):
        with open(path, "rb") as file:
            return _load(file, like, f"`{path}`")
    return _load(path, like, "the file")


def _load(file: Any, like: _T, name: str) -> _T:
    first = file.read(len(_MAGIC))
    if first != _MAGIC:
        raise ValueError(
            f"`eqm.load`: {name} wasn't written by `eqm.save`. What "
            "`eqx.tree_serialise_leaves` wrote, `eqx.tree_deserialise_leaves` reads."
        )
    try:
        number, checksum = file.readline()[:-1].split(b" ")
        number = int(number)
    except ValueError as e:
        _damaged(name, "its first line isn't whole", e)
    if number != _FORMAT:
        raise ValueError(
            f"`eqm.load`: {name} has format {number}, and this version of eqmetrics reads format "
            f"{_FORMAT}: {'update it' if number > _FORMAT else 'an older one wrote it'}."
        )
    line = file.readline()
    if _sum_of(line) != checksum:
        _damaged(name, "the line that describes its arrays isn't what was written")
    header = json.loads(line)
    _check(header["structure"], _structure(like), name, header["eqmetrics"])
    arrays = CheckedFile(file)
    try:
        tree = eqx.tree_deserialise_leaves(arrays, jax.tree.map(_data, opened(like)))
    except Exception as e:
        _damaged(name, "its arrays can't be read", e)
    last = _last(arrays)
    if file.read(len(last)) != last:
        _damaged(name, "its arrays aren't those that were written")
    if file.read(1):
        _damaged(name, "it goes on after the last array")
    return closed(like, jax.tree.map(_as_in, opened(like), tree))


def _damaged(name: str, why: str, e: Exception | None = None) -> NoReturn:
    raise ValueError(f"`eqm.load`: {name} is cut off or damaged: {why}.") from e


def _difference(where: str, there: str | None, here: str | None) -> str:
    name = where.lstrip(".") or "the tree"
    if here is None:
        return f"`{name}` is {there} in the file, and isn't here"
    if there is None:
        return f"`{name}` is {here} here, and isn't in the file"
    return f"`{name}` is {there} in the file and {here} here"


def _check(there: dict[str, str], here: dict[str, str], name: str, version: str) -> None:
    differ = [where for where in here | there if there.get(where) != here.get(where)]
    # Fields of another class differ anyway, and aren't listed.
    above = tuple(f"{where}{x}" for where in differ for x in ".[")
    lines = [
        _difference(where, there.get(where), here.get(where))
        for where in differ
        if not where.startswith(above)
    ]
    if len(lines) > _MOST_TOLD:
        lines[_MOST_TOLD:] = [f"and {len(lines) - _MOST_TOLD} more"]
    if lines:
        raise ValueError(
            f"`eqm.load`: {name}, saved by eqmetrics {version}, is of another configuration than "
            f"`like`:{''.join(f'{chr(10)}- {line}' for line in lines)}\n"
            "Build `like` as the saved state was built."
        )
