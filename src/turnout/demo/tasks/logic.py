"""Generates small logic: truth-tellers and liars, and who comes where by comparisons of two."""

from itertools import pairwise
from random import Random

from turnout.demo.tasks.phrasing import GeneratedProblem, enumeration, terse
from turnout.demo.tasks.vocabulary import ORDINALS, PEOPLE

# comparative and superlative of the one end of a scale, then of the other
SCALES = (
    ("taller", "tallest", "shorter", "shortest"),
    ("older", "oldest", "younger", "youngest"),
    ("faster", "fastest", "slower", "slowest"),
    ("heavier", "heaviest", "lighter", "lightest"),
    ("richer", "richest", "poorer", "poorest"),
)


def generate(steps: int, rng: Random) -> GeneratedProblem:
    """`steps` statements to put together; the answer is one or several names, or a number."""
    return rng.choice((_liars, _ordering))(steps, rng)


def _liars(steps: int, rng: Random) -> GeneratedProblem:
    """A chain of people, each of whom says of the next whether he or she lies."""
    names = rng.sample(PEOPLE, steps + 1)
    honest = [rng.random() < 0.5 for _ in names]
    honest[rng.randrange(len(names))] = False
    claims = [
        (who, f"{whom} {'is honest' if speaker == subject else 'lies'}")
        for (who, speaker), (whom, subject) in pairwise(zip(names, honest, strict=True))
    ]
    verb = rng.choice(("says", "claims", "says that", "insists that"))
    long = [f"{who} {verb} {claim}" for who, claim in claims]
    known = f"{names[0]} {'is honest' if honest[0] else 'lies'}"
    liars = [name for name, is_honest in zip(names, honest, strict=True) if not is_honest]
    answer, question = ", ".join(liars), rng.choice(("Who are the liars?", "Who lies?", "Name those who lie."))
    if rng.random() < 0.2:
        answer, question = str(len(liars)), "How many of them are liars?"
    rule = "Everyone is either honest, and then only says what is true, or lies every time."
    return GeneratedProblem(
        answer=answer,
        phrasings=(
            f"{rule} It is known that {known}. {'. '.join(long)}. {question}",
            f"It is known that {known}. {', '.join(long)}. {question}",
            f"Known: {known}. {terse([f'{who}: {claim}' for who, claim in claims], rng)}. {question}",
            f"Each person is a liar or honest. Known: {known}. {enumeration(long)}. {question}",
        ),
    )


def _ordering(steps: int, rng: Random) -> GeneratedProblem:
    """Comparisons of all neighbours on a scale, shuffled, and the question who stands at one place of it."""
    more, most, less, least = rng.choice(SCALES)
    order = rng.sample(PEOPLE, steps + 1)
    pairs = list(pairwise(order))
    rng.shuffle(pairs)
    long, short = [], []
    for above, below in pairs:
        reversed_clause = rng.random() < 0.4
        long.append(f"{below} is {less} than {above}" if reversed_clause else f"{above} is {more} than {below}")
        short.append(f"{below} < {above}" if reversed_clause else f"{above} > {below}")
    place = rng.randint(len(order) // 4, min(len(order), len(ORDINALS)) - 1)
    from_top = rng.random() < 0.5
    superlative = most if from_top else least
    question = f"who is the {superlative if place == 0 else f'{ORDINALS[place]} {superlative}'}"
    return GeneratedProblem(
        answer=order[place] if from_top else order[-1 - place],
        phrasings=(
            f"{'. '.join(long)}. W{question[1:]}?",
            f"{enumeration(long)}. W{question[1:]}?",
            f"Given that {enumeration(long)}, {question} of them?",
            f"W{question[1:]} if {enumeration(long)}?",
            f"{terse(short, rng)} (> means {more}). W{question[1:]}?",
        ),
    )
