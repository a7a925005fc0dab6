"""Expressions in ``.pt2`` files: PyTorch evaluates each as Python code, so each must be arithmetic of sizes and nothing else."""

import ast
import re
from collections.abc import Callable

_FUNCTIONS = frozenset(
    (  # noqa: SIM905
        "FloorDiv ModularIndexing Where PythonMod Mod CleanDiv CeilToInt FloorToInt CeilDiv LShift RShift PowByNatural "
        "FloatPow FloatTrueDiv IntTrueDiv IsNonOverlappingAndDenseIndicator TruncToFloat TruncToInt RoundToInt RoundDecimal "
        "ToFloat Identity Max Min Abs Eq Ne Lt Le Gt Ge And Or Not Xor Add Mul Pow Integer Float Rational Symbol Equality "
        "Unequality GreaterThan StrictGreaterThan LessThan StrictLessThan floor ceiling sqrt "
        "Piecewise ExprCondPair max min abs int float bool len round"
    ).split()
)
_OTHER_FUNCTIONS = re.compile(r"OpaqueUnaryFn_\w+|BitwiseFn_\w+|cast_symbool_to_symint_guardless")
_GUARD_ATTRIBUTES = re.compile(
    r"size|stride|storage_offset|dim|numel|shape|isnan|inf|nan|trunc|floor|ceil|sqrt|log|log2|exp|a?(?:cos|sin|tan)h?|_?sym_\w+"
)
_GUARD_ROOTS = frozenset({"L", "math", "torch"})
_POWERS = frozenset({"Pow", "PowByNatural", "FloatPow", "LShift"})
_MAX_CHARACTERS = 50_000
MAX_EXPONENT = 64
MAX_BITS = 4096
"""Digits of constants: SymPy computes them while it reads the expression."""
SYMBOL_BITS = 64
_NESTING = 60
"""Brackets in each other: SymPy's time grows fast with them."""
_KEY = re.compile(r"[^\"'\\\x00-\x1f\x7f{}]{0,1000}")
"""Keys of inputs: PyTorch replaces ``L['x']['key']`` in the text, which a key without quotes cannot contain."""
_SYMBOL = re.compile(r"[A-Za-z_]\w{0,100}")
_FRACTION = re.compile(r"-?[\d.]{1,400}(e[+-]?\d{1,4})?")
_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.BitAnd, ast.BitOr, ast.Invert, ast.UAdd, ast.USub,
    ast.Not, ast.And, ast.Or, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.LShift, ast.RShift, ast.BitXor,
)  # fmt: skip


class NotArithmetic(Exception):  # noqa: N818 - a message to the caller, not an error
    """An expression contains more than arithmetic of sizes, or numbers that are too large."""


def check_size_expression(text: str) -> None:
    """Raise `NotArithmetic` for anything but numbers, symbols, operators, and functions of sizes: ``2*s0 + FloorDiv(s1, 2)``."""
    _measure(_parse(text), _refuse)


def check_guard(text: str) -> None:
    """Raise `NotArithmetic` for anything but a condition on the sizes of inputs: ``L['x'].size()[0] <= 64``."""
    _measure(_parse(text), _measure_guard_part)


def _parse(text: str) -> ast.expr:
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    if len(text) > _MAX_CHARACTERS or deepest > _NESTING:
        raise NotArithmetic(f"an expression of {len(text)} characters, {deepest} brackets deep")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotArithmetic("text that is not an expression") from error


def _measure(node: ast.expr, other: Callable[[ast.expr], int]) -> int:
    """Return an upper bound for the bits of an expression's value; `other` measures, or refuses, its other kinds of parts."""
    bits = _measure_part(node, other)
    if bits > MAX_BITS:
        raise NotArithmetic("a number of too many digits")
    return bits


def _measure_part(node: ast.expr, other: Callable[[ast.expr], int]) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return node.value.bit_length() if isinstance(node.value, int) else SYMBOL_BITS
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        return SYMBOL_BITS
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, _OPERATORS):
        return _measure(node.operand, other)
    if isinstance(node, ast.BinOp) and isinstance(node.op, _OPERATORS):
        left, right = _measure(node.left, other), _measure(node.right, other)
        return left * _exponent(node.right) if isinstance(node.op, (ast.Pow, ast.LShift)) else left + right
    if isinstance(node, (ast.BoolOp, ast.Compare)):
        parts = node.values if isinstance(node, ast.BoolOp) else [node.left, *node.comparators]
        return max(_measure(part, other) for part in parts)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id not in _FUNCTIONS and _OTHER_FUNCTIONS.fullmatch(node.func.id) is None:
            raise NotArithmetic(f"a call of {node.func.id[:40]}")
        if any(
            not isinstance(option.value, ast.Constant) or isinstance(option.value.value, str)
            for option in node.keywords
        ):
            raise NotArithmetic("an option that is not a constant")
        if node.func.id in ("Symbol", "Float"):
            return _measure_atom(node.func.id, node.args)
        total = sum(_measure(part, other) for part in node.args)
        return total * _exponent(node.args[-1]) if node.func.id in _POWERS and node.args else total
    return other(node)


def _measure_atom(kind: str, arguments: list[ast.expr]) -> int:
    """Accept ``Symbol('s0', ...)`` and ``Float('0.5', ...)``, whose text SymPy reads as a name and as a number."""
    text = arguments[0].value if len(arguments) == 1 and isinstance(arguments[0], ast.Constant) else None
    if not isinstance(text, str) or not (_SYMBOL if kind == "Symbol" else _FRACTION).fullmatch(text):
        raise NotArithmetic(f"a {kind} without a plain name or number")
    return SYMBOL_BITS


def _exponent(node: ast.expr) -> int:
    """Return an upper bound for the factor by which a power makes a number longer; a symbol has no value yet."""
    if isinstance(node, ast.UnaryOp):
        return _exponent(node.operand)
    if isinstance(node, ast.Name):
        return 1
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
        if node.func.id == "Symbol":
            return 1
        if node.func.id in ("Integer", "Rational", "ToFloat"):
            return _exponent(node.args[0])
        if node.func.id == "Float":
            _measure_atom("Float", node.args)
            return _exponent(ast.Constant(float(ast.literal_eval(node.args[0]))))
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and abs(node.value) <= MAX_EXPONENT:
        return int(abs(node.value)) + 1
    raise NotArithmetic("a power whose exponent is neither a symbol nor a small number")


def _refuse(node: ast.expr) -> int:
    raise NotArithmetic(f"a Python expression ({type(node).__name__.lower()})")


def _measure_guard_part(node: ast.expr) -> int:
    """Accept an input and its parts, ``L['x']['key'].size()[0]``."""
    if isinstance(node, ast.IfExp):
        return max(_measure(part, _measure_guard_part) for part in (node.test, node.body, node.orelse))
    part: ast.expr = node
    while True:
        if isinstance(part, ast.Subscript):
            key = part.slice
            is_key = isinstance(key, ast.Constant) and (isinstance(key.value, int) or _is_plain_key(key.value))
            if not is_key:
                _refuse(part)
            part = part.value
        elif isinstance(part, ast.Call) and not part.keywords and isinstance(part.func, ast.Attribute):
            for argument in part.args:
                _measure(argument, _measure_guard_part)
            part = part.func
        elif isinstance(part, ast.Attribute) and _GUARD_ATTRIBUTES.fullmatch(part.attr):
            part = part.value
        elif (isinstance(part, ast.Name) and part.id in _GUARD_ROOTS) or (
            isinstance(node, ast.Constant) and _is_plain_key(node.value)
        ):
            return SYMBOL_BITS
        else:
            return _refuse(part)


def _is_plain_key(value: object) -> bool:
    return isinstance(value, str) and _KEY.fullmatch(value) is not None
