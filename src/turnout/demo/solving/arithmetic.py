"""Reads expressions, running calculations and shopping bills."""

import ast
import re
from collections.abc import Callable
from operator import add, mul, sub
from random import Random

from turnout.demo.solving.problem import AnyProblem, Problem, Step, misread, question_after

_ARTICLE = re.compile(r"(\d{1,9}) ([a-z]+) (?:at|for) \$?(\d{1,9})(?: dollars?)? (?:each|apiece)")
_PAID = re.compile(r"pays with \$?(\d{1,9})")
_START = re.compile(r"\b(?:start with|take the number|think of the number) (\d{1,9})", re.IGNORECASE)
_OPERATION = re.compile(
    r"(?P<add>add|plus) (?P<a>\d{1,9})|(?P<sub>subtract|take away|minus) (?P<b>\d{1,9})"
    r"|(?P<mul>multiply (?:it|the result) by|times) (?P<c>\d{1,9})|(?P<double>double)|(?P<halve>halve)",
    re.IGNORECASE,
)
_LONGEST_EXPRESSION = 300  # characters; a deeper one would overflow the stack
_EXPRESSION = re.compile(r"\(*\d{1,9}(?:\s*[-+*/×÷]\s*\(*\d{1,9}\)*)+")


def read(prompt: str) -> AnyProblem | None:
    """The calculation in a prompt, or None."""
    return _bill(prompt) or _running(prompt) or _expression(prompt)


def _number_problem(start: int, steps: list[Step[int]]) -> Problem[int]:
    return Problem(start=start, steps=tuple(steps), read=str, blur=misread, shows=str)


def _running(prompt: str) -> AnyProblem | None:
    start = _START.search(prompt)
    if start is None:
        return None
    found = _OPERATION.finditer(question_after(prompt, start.end()))
    steps = [_operation(match) for match in found]
    return _number_problem(int(start[1]), steps) if steps else None


def _operation(match: re.Match[str]) -> Step[int]:
    by = int(match["a"] or match["b"] or match["c"] or 2)
    if match["add"]:
        return Step(f"add {by}", lambda value: value + by)
    if match["sub"]:
        return Step(f"take {by}", lambda value: value - by)
    if match["halve"]:
        return Step("halve", lambda value: value // 2)
    return Step(f"times {by}", lambda value: value * by, 1.1)


_Bill = tuple[int, int]  # the line just worked out, and the total so far


def _bill(prompt: str) -> AnyProblem | None:
    lines = _ARTICLE.findall(prompt)
    if not lines:
        return None
    steps: list[Step[_Bill]] = []
    for place, (count, thing, price) in enumerate(lines):
        steps.append(_line(int(count), int(price), thing, first=place == 0))
        if place:
            steps.append(Step(f"add {thing}", lambda bill: (bill[0], bill[1] + bill[0])))
    paid = _PAID.search(prompt)
    if paid:
        note = int(paid[1])
        steps.append(Step(f"out of {note}", lambda bill: (bill[0], note - bill[1])))
    return Problem(
        start=(0, 0),
        steps=tuple(steps),
        read=lambda bill: str(bill[1]),
        blur=lambda bill, chance: (bill[0], misread(bill[1], chance)),
        shows=lambda bill: str(bill[1]),
    )


def _line(count: int, price: int, thing: str, *, first: bool) -> Step[_Bill]:
    cost = count * price
    return Step(f"{thing}: {count} x {price}", lambda bill: (cost, cost if first else bill[1]))


def _expression(prompt: str) -> AnyProblem | None:
    """The longest expression that can be read; none where it holds a division or is too deep to follow."""
    texts = [text for text in _EXPRESSION.findall(prompt) if len(text) <= _LONGEST_EXPRESSION]
    for text in sorted(texts, key=len, reverse=True):
        nodes = _operations(text)
        if nodes is not None:
            return _worked(nodes)
    return None


def _operations(text: str) -> list[ast.BinOp] | None:
    """The operations in the order in which they are worked out, the whole last; None where one is not known."""
    try:
        tree = ast.parse(text.replace("×", "*"), mode="eval").body
    except SyntaxError:
        return None
    nodes: list[ast.BinOp] = []
    _collect(tree, nodes)
    return nodes if nodes and all(type(node.op) in _OPERATORS for node in nodes) else None


_OPERATORS: dict[type[ast.operator], tuple[str, Callable[[int, int], int], float]] = {
    ast.Add: ("+", add, 1.0),
    ast.Sub: ("-", sub, 1.0),
    ast.Mult: ("x", mul, 1.1),
}
_Values = dict[int, int]  # the result of each operation done so far, by its place


def _worked(nodes: list[ast.BinOp]) -> AnyProblem:
    """An operation left undone counts as its left side."""
    tree = nodes[-1]
    places = {id(node): place for place, node in enumerate(nodes)}

    def value(node: ast.expr, values: _Values) -> int:
        if isinstance(node, ast.BinOp):
            place = places[id(node)]
            return values[place] if place in values else value(node.left, values)
        return int(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, int) else 0

    def step(node: ast.BinOp) -> Step[_Values]:
        sign, operate, weight = _OPERATORS[type(node.op)]
        place = places[id(node)]

        def apply(values: _Values) -> _Values:
            return values | {place: operate(value(node.left, values), value(node.right, values))}

        return Step(f"the {sign} at {place + 1}", apply, weight)

    def blur(values: _Values, chance: Random) -> _Values:
        return values | {len(nodes) - 1: misread(value(tree, values), chance)}

    return Problem(
        start={},
        steps=tuple(map(step, nodes)),
        read=lambda values: str(value(tree, values)),
        blur=blur,
        shows=lambda values: str(list(values.values())[-1]),
    )


def _collect(node: ast.expr, found: list[ast.BinOp]) -> None:
    if isinstance(node, ast.BinOp):
        _collect(node.left, found)
        _collect(node.right, found)
        found.append(node)
