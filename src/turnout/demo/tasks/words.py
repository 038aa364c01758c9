"""Generates word puzzles: letters reversed, moved, swapped, replaced and counted."""

from random import Random

from turnout.demo.tasks.phrasing import GeneratedProblem, running_sentence, sentences, terse
from turnout.demo.tasks.vocabulary import WORDS

# change -> its wordings in full, and in short
CHANGES = {
    "reverse": (("reverse it", "write it backwards"), "reverse"),
    "drop first": (("remove the first letter", "drop the first letter"), "drop first"),
    "drop last": (("remove the last letter", "drop the last letter"), "drop last"),
    "first to end": (("move the first letter to the end",), "first to end"),
    "last to front": (("move the last letter to the front",), "last to front"),
    "swap ends": (("swap the first and last letters",), "swap ends"),
    "append": (("put {new} at the end", "write {new} at the end"), "{new} at end"),
    "replace": (("replace every {old} with {new}", "change each {old} to {new}"), "{old} to {new}"),
}
INVERSES = {"first to end": "last to front", "last to front": "first to end", "append": "drop last"}


def generate(steps: int, rng: Random) -> GeneratedProblem:
    """`steps` changes of a word, the last of which may be counting; the answer is a word or a number."""
    word = spelling = rng.choice(WORDS)
    counting = rng.random() < 0.2
    long, short, change = [], [], ""
    for _ in range(steps - counting):
        change = _next_change(spelling, change, rng)
        old = rng.choice(spelling)
        new = rng.choice([letter for letter in "bdgkmotuz" if letter != old])
        spelling = apply(change, spelling, old, new)
        wordings, brief = CHANGES[change]
        long.append(rng.choice(wordings).format(old=f"'{old}'", new=f"'{new}'"))
        short.append(brief.format(old=f"'{old}'", new=f"'{new}'"))
    question, answer = rng.choice(("What do you get?", "What does it read now?", "What is left?")), spelling
    if counting:
        question, answer = _counting(spelling, rng)
    if not long:
        short_question = question.replace("it have", f"the word '{word}' have")
        return GeneratedProblem(answer=answer, phrasings=(short_question, f"Look at the word '{word}'. {question}"))
    return GeneratedProblem(
        answer=answer,
        phrasings=(
            f"Take the word '{word}'. {sentences(long, rng)} {question}",
            f"Take the word '{word}', {running_sentence(long, rng)}. {question}",
            f"With the word '{word}': {terse(long, rng)}. {question}",
            f"The word '{word}': {terse(short, rng)}. {question}",
            f"I write down the word '{word}'. I {running_sentence(long, rng)}. {question}",
        ),
    )


def apply(change: str, spelling: str, old: str, new: str) -> str:
    """The word after one change; `old` and `new` are used by `append` and `replace` alone."""
    return {
        "reverse": spelling[::-1],
        "drop first": spelling[1:],
        "drop last": spelling[:-1],
        "first to end": spelling[1:] + spelling[:1],
        "last to front": spelling[-1:] + spelling[:-1],
        "swap ends": spelling[-1:] + spelling[1:-1] + spelling[:1],
        "append": spelling + new,
        "replace": spelling.replace(old, new),
    }[change]


def _next_change(spelling: str, previous: str, rng: Random) -> str:
    """A change that does not undo the one before and leaves at least four letters."""
    allowed = [change for change in CHANGES if change not in (previous, INVERSES.get(previous))]
    if len(spelling) < 5:
        allowed = [change for change in allowed if not change.startswith("drop")]
    if spelling[0] == spelling[-1]:
        allowed = [change for change in allowed if change != "swap ends"]
    return rng.choice(allowed)


def _counting(spelling: str, rng: Random) -> tuple[str, str]:
    if rng.random() < 0.5:
        return "How many letters does it have?", str(len(spelling))
    return "How many vowels does it have?", str(sum(letter in "aeiou" for letter in spelling))
