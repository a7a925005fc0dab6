"""Which names a statement reads before it assigns them."""

import ast

import pytest

torch = pytest.importorskip("torch")

from dummyio_torch.symbolic.compiler.liveness import find_live_names


def test_a_name_matters_where_it_is_read_before_it_is_assigned():
    statements = ast.parse("a = b + 1\nif c:\n    d = a\nelse:\n    e = 1\nf[0] = d\n").body
    assert find_live_names(statements, frozenset({"e", "z"})) == {"b", "c", "d", "e", "f", "z"}
