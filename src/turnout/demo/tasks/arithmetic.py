"""Generates arithmetic: expressions, running calculations in words, and sums."""

from random import Random

from turnout.demo.tasks.phrasing import GeneratedProblem, running_sentence, sentences, terse


def generate(steps: int, rng: Random) -> GeneratedProblem:
    """A calculation of `steps` operations; the answer is a whole number, never negative."""
    return rng.choice((_expression, _running_calculation, _running_calculation, _sum))(steps, rng)


def _expression(steps: int, rng: Random) -> GeneratedProblem:
    text, value = _random_expression(steps, rng)
    if rng.random() < 0.5:
        text = text.replace("*", "×")
    return GeneratedProblem(
        answer=str(value),
        phrasings=(
            f"What is {text}?",
            f"{text} = ?",
            f"Calculate {text}.",
            f"Could you work out what {text} comes to?",
            f"I would like to know the value of {text}, please.",
            f"Evaluate the following expression for me: {text}.",
        ),
    )


def _random_expression(steps: int, rng: Random) -> tuple[str, int]:
    """An expression with `steps` operators, and its value."""
    value = rng.randint(3, 40)
    text, is_sum = str(value), False
    for _ in range(steps):
        operator = rng.choice("++*" if value < 4 else "++-*" if value < 600 else "+--")
        if operator == "*":
            factor = rng.randint(2, 6)
            operand = f"({text})" if is_sum else text
            text = f"{factor} * {operand}" if rng.random() < 0.4 else f"{operand} * {factor}"
            value, is_sum = value * factor, False
            continue
        number = rng.randint(2, 70 if operator == "+" else min(value - 1, 70))
        text, is_sum = f"{text} {operator} {number}", True
        value += number if operator == "+" else -number
    return text, value


def _running_calculation(steps: int, rng: Random) -> GeneratedProblem:
    start = value = rng.randint(3, 40)
    long, short = [], []
    for _ in range(steps):
        value, clause, note = _random_operation(value, rng)
        long.append(clause)
        short.append(note)
    question = rng.choice(("What do I end up with?", "What is the result?", "Which number is it now?"))
    return GeneratedProblem(
        answer=str(value),
        phrasings=(
            f"Start with {start}. {sentences(long, rng)} {question}",
            f"Take the number {start}, {running_sentence(long, rng)}. {question}",
            f"Think of the number {start}; {running_sentence(short, rng)}. {question}",
            f"Start with {start}: {terse(short, rng)}. Result?",
            f"If I start with {start} and {running_sentence(long, rng)}, what comes out?",
        ),
    )


def _random_operation(value: int, rng: Random) -> tuple[int, str, str]:
    """The next value, and the operation in full and in short."""
    kind = rng.choice(("add", "add", "subtract", "subtract", "multiply", "double", "halve"))
    if kind == "subtract" and value > 5:
        number = rng.randint(2, min(value - 1, 60))
        return value - number, rng.choice((f"subtract {number}", f"take away {number} from it")), f"minus {number}"
    if kind == "multiply" and value < 300:
        factor = rng.randint(3, 6)
        return value * factor, f"multiply {rng.choice(('it', 'the result'))} by {factor}", f"times {factor}"
    if kind == "double" and value < 800:
        return value * 2, "double it", "double"
    if kind == "halve" and value % 2 == 0 and value > 6:
        return value // 2, "halve it", "halve"
    number = rng.randint(2, 60)
    return value + number, rng.choice((f"add {number}", f"add {number} to it")), f"plus {number}"


def _sum(steps: int, rng: Random) -> GeneratedProblem:
    numbers = [rng.randint(3, 60) for _ in range(steps + 1)]
    text = ", ".join(map(str, numbers))
    return GeneratedProblem(
        answer=str(sum(numbers)),
        phrasings=(
            f"What do the numbers {text} add up to?",
            f"Sum of the numbers {text}?",
            f"My list has the numbers {text} on it. What is their sum?",
            f"Please add up the numbers {text} for me. What is the sum?",
        ),
    )
