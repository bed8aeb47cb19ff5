"""Sums to do, as a test case writes an expected number: ``2/3``, ``ln(101)``, ``sqrt(6 * 50 ** 2 / 5)``."""

import ast
import math
import operator
from collections.abc import Callable

from pipeline.errors import ConfigError

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
_SIGNS: dict[type[ast.unaryop], Callable[[float], float]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_FUNCTIONS: dict[str, Callable[[float], float]] = {"ln": math.log, "sqrt": math.sqrt}


def evaluate(text: str) -> float:
    """The value of numbers, + - * / ** and brackets, ln and sqrt; nothing else is run.

    ConfigError where the text holds anything else, or has no finite value.
    """
    try:
        value = _value(ast.parse(text.strip(), mode="eval").body)
    except (ArithmeticError, RecursionError, SyntaxError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"{text!r} is no number: write numbers with + - * / **, brackets, ln() and sqrt()")
    return value


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return float(number)
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _SIGNS:
            return _SIGNS[type(sign)](_value(operand))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_value(left), _value(right))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](_value(argument))
    raise ValueError(ast.dump(node))
