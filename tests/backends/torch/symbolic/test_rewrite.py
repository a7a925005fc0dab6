"""Each rewrite: the code before and after, and the code that is left as it is."""

import ast
import textwrap

import pytest

torch = pytest.importorskip("torch")

from dummyio_torch.symbolic.compiler.rewrite import rewrite_function


def rewrite(body):
    """Return the rewritten body of a function, as the tracing thread runs it; None if it is left as it is."""
    lines = textwrap.indent(textwrap.dedent(body), "    ")
    function = rewrite_function(ast.parse(f"def f(self, n, x, found, pairs, values, b):\n{lines}\n").body[0])
    if function is None:
        return None
    _, choice = function.body  # after the import of the runtime
    assert ast.unparse(choice.test) == "_dummyio_runtime.is_tracing()"
    assert "\n".join(map(ast.unparse, choice.orelse)) == ast.unparse(ast.parse(textwrap.dedent(body)))
    text = "\n".join(map(ast.unparse, choice.body))
    return text.replace("_dummyio_", "")


CHOICES = {
    "y = int(n / 2)": "y = runtime.symbolic_int(n / 2)",
    "y = max(n - 1, 0)": "y = runtime.symbolic_max(n - 1, 0)",
    "y = min(n, 8, 9)": "y = runtime.symbolic_min(n, 8, 9)",
    "y = len(values)": "y = runtime.symbolic_len(values)",
    "y = list(values)": "y = runtime.symbolic_list(values)",
    "y = x.tolist()": "y = runtime.symbolic_tolist(x)",
    "y = 1 if n > 3 else n": "y = runtime.select_value(runtime.compare_sizes('>', n, 3), lambda: 1, lambda: n)",
    """
    if n % 2 == 0:
        y = 1
    else:
        y = n
    """: """
    test = runtime.compare_sizes('==', n % 2, 0, n)
    if runtime.is_undecided(test):
        y = runtime.select_number(test, 1, n)
    elif test:
        y = 1
    else:
        y = n
    """,
}


@pytest.mark.parametrize("before", CHOICES, ids=str.split)
def test_numbers_and_choices(before):
    assert rewrite(before) == textwrap.dedent(CHOICES[before]).strip()


COMPREHENSIONS = {
    "y = [a * 2 for a in x]": "y = runtime.symbolic_map(runtime.symbolic_rows(x), lambda a: a * 2)",
    "y = [x[i] for i in range(n)]": (
        "y = runtime.symbolic_map(runtime.symbolic_range(n), lambda i: runtime.symbolic_getitem(x, i))"
    ),
    "y = [p.reshape(-1, p.shape[-1]) for p in pairs]": (
        "y = runtime.symbolic_map(runtime.symbolic_rows(pairs), lambda p: p.reshape(-1, p.shape[-1]), joins=True)"
    ),
}


@pytest.mark.parametrize("before", COMPREHENSIONS)
def test_comprehensions(before):
    assert rewrite(before) == COMPREHENSIONS[before]


LOOPS = {
    # a value carried from iteration to iteration, a list that is filled, and the last value read after the loop
    """
    for i in range(n):
        b = b + x[:, i]
        y = b * 2
        found.append(y)
    return b, y, found
    """: """
    turns = runtime.symbolic_range(n)
    if turns.symbolic:

        def body(i, b):
            b = b + runtime.symbolic_getitem(x, runtime.SymbolicSlice(None, None, None), i)
            y = b * 2
            found = y
            return ([b], [y], [found], [])
        [b], [y], [found], [] = runtime.run_scan(turns, body, ('b',), ('found',), (), ())
    """,
    # a tensor that is written at the index of the iteration, counted from its last axis
    """
    for i in range(1, n):
        x[..., i, :] = values[i - 1]
    """: """
    turns = runtime.symbolic_range(1, n)
    if turns.symbolic:

        def body(i):
            x = runtime.symbolic_getitem(values, runtime.SymbolicIndex(i - 1))
            return ([], [], [], [x])
        [], [], [], [x] = runtime.run_scan(turns, body, (), (), (x,), (-2,))
    """,
    # an augmented assignment runs out of place
    """
    for i, row in enumerate(values):
        b += row
    return b
    """: """
    turns = runtime.symbolic_enumerate(values)
    if turns.symbolic:

        def body(i, row, b):
            b = b + row
            return ([b], [], [], [])
        [b], [], [], [] = runtime.run_scan(turns, body, (b,), (), (), ())
    """,
    """
    for p, q in zip(pairs, values):
        b = b + p * q
    return b
    """: """
    turns = runtime.symbolic_zip(pairs, values)
    if turns.symbolic:

        def body(p, q, b):
            b = b + p * q
            return ([b], [], [], [])
        [b], [], [], [] = runtime.run_scan(turns, body, (b,), (), (), ())
    """,
}


@pytest.mark.parametrize("before", LOOPS)
def test_loops(before):
    after = rewrite(before)
    expected = textwrap.dedent(LOOPS[before]).strip().replace("('b',)", "(b,)").replace("('found',)", "(found,)")
    assert after.startswith(expected), after
    assert "else:\n    for " in after  # a number of iterations that is known runs the loop as written


@pytest.mark.parametrize(
    "body",
    [
        "for i in range(n):\n    yield i",
        "for i in range(n):\n    self.x = i",
        "for i in range(n):\n    x[i] += 1",
        "for i in range(n):\n    found.append((i, i + 1))",
        "for i in range(n):\n    found.append(x)\n    y = len_of(found)",
        "for a, b in pairs:\n    x = a",
        "for i in range(n):\n    pass\nelse:\n    x = 1",
        "x = [a for a in b if a]",
        "x = [(a, 1) for a in b]",
        "x = max(values)",
        "if x == 'text':\n    y = 1\nelse:\n    y = 2",
        "if x > 1:\n    y = call()\nelse:\n    y = 2",
        "self.__mine = int(x)",
    ],
)
def test_code_that_is_not_understood_stays(body):
    assert rewrite(body) is None


def test_an_error_in_rewritten_code_has_the_line_of_the_model():
    function = rewrite_function(
        ast.parse("def f(n):\n    y = 0\n    for i in range(n):\n        y = y + i\n    return y").body[0]
    )
    lines = {node.lineno for node in ast.walk(function.body[1].body[1]) if isinstance(node, ast.stmt)}
    assert lines <= {3, 4}
