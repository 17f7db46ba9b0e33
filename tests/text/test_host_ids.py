"""Strings to ids on the host."""

import subprocess
import sys

import numpy as np
import pytest

import eqmetrics as eqm


host_ids = eqm.text.host_ids


def test_words_and_characters():
    ids = host_ids(["a b a", "", "b"])
    assert ids.shape == (3, 3) and ids.dtype == np.int32
    assert ids[0, 0] == ids[0, 2] != ids[0, 1] == ids[2, 0] and (ids[1] == -1).all()
    assert (ids >= -1).all()
    assert host_ids("aß a", by="character").tolist() == [97, 223, 32, 97]
    assert host_ids([]).shape == (0, 0)
    assert host_ids(["a"], max_length=3, padding=0)[0, 1:].tolist() == [0, 0]


def test_several_references():
    ids = host_ids([["a b", "a"], ["b"], []])
    assert ids.shape == (3, 2, 2)
    assert ids[0, 0, 0] == ids[0, 1, 0] and ids[1, 0, 0] == ids[0, 0, 1]
    assert (ids[1, 1] == -1).all() and (ids[2] == -1).all()
    with pytest.raises(ValueError, match="nest all as deep"):
        host_ids(["a", ["b"]])


def test_a_function_of_strings():
    numbers = lambda s: [ord(c) - 96 for c in s]
    assert host_ids(["ab", "c"], by=numbers).tolist() == [[1, 2], [3, -1]]
    same = host_ids(["a,b"], by=lambda s: s.split(","))
    assert same.tolist() == host_ids(["a b"]).tolist()
    with pytest.raises(ValueError, match="the id 0, which is the padding"):
        host_ids(["a"], by=lambda s: [0], padding=0)


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="3 tokens, and max_length=2"):
        host_ids(["a b c"], max_length=2)
    with pytest.raises(ValueError, match="expected 'word'"):
        host_ids(["a"], by="bpe")  # pyright: ignore[reportArgumentType]


def test_ids_are_the_same_in_every_process():
    # As they were when this was written: files of ids stay readable.
    assert host_ids("the cat").tolist() == [1400053561, 1569277365]
    code = "import eqmetrics as eqm; print(eqm.text.host_ids('the cat').tolist())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == str(host_ids("the cat").tolist())


def test_few_words_share_an_id():
    words = [f"word{i}" for i in range(20_000)]
    assert len(np.unique(host_ids(words))) > 19_990
