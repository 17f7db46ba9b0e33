"""Padded ids of strings, made on the host."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, get_args, Literal

import numpy as np


By = Literal["word", "character"]
_Nested = Sequence[Any]


def _hashed(word: str) -> int:
    """A hash of 31 bits, the same in every process, unlike Python's own `hash`."""
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest(), "little") >> 1


def _pieces(by: By | Callable[[str], Iterable[Any]]) -> Callable[[str], Iterable[Any]]:
    if callable(by):
        return by
    if by not in get_args(By):
        raise ValueError(f"`by` is {by!r}, expected 'word', 'character' or a function of a string.")
    return str.split if by == "word" else lambda text: map(ord, text)


def host_ids(
    strings: str | _Nested,
    *,
    by: By | Callable[[str], Iterable[str] | Iterable[int]] = "word",
    max_length: int | None = None,
    padding: int = -1,
) -> np.ndarray:
    """Padded ids of strings, of shape `(*shape, length)`, made on the host in plain NumPy.

    Words become numbers of 31 bits by a hash that is the same in every process and version, so no
    vocabulary has to be kept or sent. Two different words collide with a probability of $2^{-31}$.
    A character is its code point.

    **Arguments:**

    - `strings`: a string, a list of strings, or lists of lists, as for several references per row.
        Lists within a list may differ in length: the shorter are filled with empty strings.
    - `by`: what a token is. `"word"`: the text between spaces; `"character"`: each character,
        spaces included. Or a function that takes a string and returns strings, which are hashed, or
        integers, as the `encode` of a tokenizer does.
    - `max_length`: the length to which all rows are padded, so that one compiled program serves all
        batches; if not given, the length of the longest of these strings. A string with more tokens
        raises a ValueError, since cutting it would change its score.
    - `padding`: the id that means "no token", as in [`eqmetrics.text.Tokens`][].

    Undefined when: never.

    !!! example

        ```python
        import eqmetrics as eqm
        ids = eqm.text.host_ids(["the cat", "a cat sat"], by="word")
        assert ids.shape == (2, 3) and ids[0, 1] == ids[1, 1] and ids[0, 2] == -1
        letters = eqm.text.host_ids(["ab", "c"], by="character", max_length=4)
        assert letters.tolist() == [[97, 98, -1, -1], [99, -1, -1, -1]]
        ```
    """
    pieces, known = _pieces(by), dict[str, int]()

    def ids_of(text: str) -> list[int]:
        found = []
        for piece in pieces(text):
            if isinstance(piece, str):
                if piece not in known:
                    known[piece] = _hashed(piece)
                found.append(known[piece])
            else:
                found.append(int(piece))
        return found

    shape = _shape(strings)
    rows = [ids_of(text) for text in _filled(strings, shape)]
    longest = max(map(len, rows), default=0)
    if max_length is not None and longest > max_length:
        raise ValueError(
            f"A string has {longest} tokens, and max_length={max_length}. Give a larger one, or "
            "cut the strings yourself: a string that was cut has another score."
        )
    out = np.full((len(rows), longest if max_length is None else max_length), padding, np.int32)
    for row, ids in zip(out, rows, strict=True):
        if padding in ids:
            raise ValueError(
                f"A token has the id {padding}, which is the padding: give another `padding=`, "
                "here and to `eqm.text.Tokens`."
            )
        row[: len(ids)] = ids
    return out.reshape(*shape, out.shape[1])


def _shape(strings: Any) -> tuple[int, ...]:
    """The shape of nested lists, each axis as long as its longest list."""
    if isinstance(strings, str):
        return ()
    inner = {_shape(x) for x in strings}
    if len({len(shape) for shape in inner}) > 1:
        raise ValueError("`strings` has strings beside lists of strings: nest all as deep.")
    return (len(strings), *(max(sizes) for sizes in zip(*inner, strict=True)))


def _filled(strings: Any, shape: tuple[int, ...]) -> list[str]:
    """All strings in their order, with an empty one where a list is short."""
    if not shape:
        return [strings]
    count = int(np.prod(shape[1:], dtype=int))
    found = [text for x in strings for text in _filled(x, shape[1:])]
    return found + [""] * (count * (shape[0] - len(strings)))
