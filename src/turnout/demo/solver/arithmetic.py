"""Parses running calculations in words, sums, and expressions."""

import re
from operator import add, mul, sub

from turnout.demo.solver.problem import AnyProblem, Problem, Step, misread_number, question_after

_START = re.compile(r"\b(?:start with|take the number|think of the number) (\d{1,9})", re.IGNORECASE)
_OPERATION = re.compile(
    r"(?P<add>add|plus) (?P<a>\d{1,9})|(?P<sub>subtract|take away|minus) (?P<b>\d{1,9})"
    r"|(?P<mul>multiply (?:it|the result) by|times) (?P<c>\d{1,9})|(?P<double>double)|(?P<halve>halve)",
    re.IGNORECASE,
)
_SUMMED = re.compile(r"numbers ((?:\d{1,9}, )+\d{1,9})")
_EXPRESSION = re.compile(r"\(*\d{1,9}(?:\s*[-+*/×÷]\s*\(*\d{1,9}\)*)+")
_MAX_EXPRESSION_LENGTH = 300  # characters
_PARENTHESES = re.compile(r"\(([^()]*)\)")
_PRODUCT = re.compile(r"(-?\d+)(\*)(-?\d+)")
_SUM = re.compile(r"^(-?\d+)([+-])(-?\d+)")
_NUMBER = re.compile(r"-?\d+")
_OPERATORS = {"+": add, "-": sub, "*": mul}


def parse(prompt: str) -> AnyProblem | None:
    """The calculation in a prompt, or None."""
    return _running_calculation(prompt) or _sum(prompt) or _expression(prompt)


def _number_problem(start: int, steps: list[Step[int]]) -> Problem[int]:
    return Problem(
        start=start,
        steps=tuple(steps),
        answer=str,
        distort=misread_number,
        note=lambda before, operation, after: f"{before} {operation} = {after}",
    )


def _running_calculation(prompt: str) -> AnyProblem | None:
    start = _START.search(prompt)
    if start is None:
        return None
    steps = [_operation(match) for match in _OPERATION.finditer(question_after(prompt, start.end()))]
    return _number_problem(int(start[1]), steps) if steps else None


def _operation(match: re.Match[str]) -> Step[int]:
    number = int(match["a"] or match["b"] or match["c"] or 2)
    if match["add"]:
        return _addition(number)
    if match["sub"]:
        return Step(f"- {number}", lambda value: value - number)
    if match["halve"]:
        return Step("/ 2", lambda value: value // 2)
    return Step(f"* {number}", lambda value: value * number, 1.1)


def _addition(number: int) -> Step[int]:
    return Step(f"+ {number}", lambda value: value + number)


def _sum(prompt: str) -> AnyProblem | None:
    summed = _SUMMED.search(prompt)
    if summed is None or not re.search(r"\bsum\b|add up", prompt, re.IGNORECASE):
        return None
    first, *others = map(int, summed[1].split(", "))
    return _number_problem(first, [_addition(number) for number in others])


def _expression(prompt: str) -> AnyProblem | None:
    """The longest expression in the prompt, worked out by rewriting one operation a step; None with a division."""
    texts = [text for text in _EXPRESSION.findall(prompt) if len(text) <= _MAX_EXPRESSION_LENGTH]
    start = re.sub(r"\s", "", max(texts, key=len, default="")).replace("×", "*")
    if not start or re.search(r"[/÷]", start) or start.count("(") != start.count(")"):
        return None
    steps: list[Step[str]] = [
        Step(f"the {operator}", _evaluate_one, 1.1 if operator == "*" else 1.0)
        for operator in re.findall(r"[-+*]", start)
    ]
    return Problem(
        start=start,
        steps=tuple(steps),
        answer=_first_number,
        distort=lambda text, rng: str(misread_number(int(_first_number(text)), rng)),
        note=_equation,
    )


def _evaluate_one(text: str) -> str:
    """The expression with its first operation worked out: innermost parentheses first, then products, then sums."""
    inner = _PARENTHESES.search(text)
    if inner is None:
        return _reduced(text)
    content = _reduced(inner[1])
    kept = content if _NUMBER.fullmatch(content) else f"({content})"
    return text[: inner.start()] + kept + text[inner.end() :]


def _equation(before: str, description: str, after: str) -> str:
    """The operation that is worked out next, and what it comes to."""
    inner = _PARENTHESES.search(before)
    operation = _next_operation(inner[1] if inner else before)
    if operation is None:
        return description
    result = after if _NUMBER.fullmatch(after) else _reduced(operation[0])
    return f"{' '.join(operation.groups())} = {result}"


def _next_operation(text: str) -> re.Match[str] | None:
    return _PRODUCT.search(text) or _SUM.search(text)


def _reduced(text: str) -> str:
    operation = _next_operation(text)
    if operation is None:
        return text
    value = _OPERATORS[operation[2]](int(operation[1]), int(operation[3]))
    return text[: operation.start()] + str(value) + text[operation.end() :]


def _first_number(text: str) -> str:
    number = _NUMBER.search(text)
    return number[0] if number else "0"
