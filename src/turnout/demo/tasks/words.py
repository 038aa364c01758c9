"""Word puzzles: letters reversed, moved, swapped, replaced and counted."""

from random import Random

from turnout.demo.tasks.posing import Posed, bare, chain, sentences
from turnout.demo.tasks.vocabulary import WORDS

# name of the change, told in full, told in short
CHANGES = {
    "reverse": (("reverse it", "write it backwards"), "reverse"),
    "drop first": (("remove the first letter", "drop the first letter"), "drop first"),
    "drop last": (("remove the last letter", "drop the last letter"), "drop last"),
    "first to end": (("move the first letter to the end",), "first to end"),
    "last to front": (("move the last letter to the front",), "last to front"),
    "swap ends": (("swap the first and last letters",), "swap ends"),
    "put": (("put {new} at the end", "write {new} at the end"), "{new} at end"),
    "replace": (("replace every {old} with {new}", "change each {old} to {new}"), "{old} to {new}"),
}


def pose(steps: int, rng: Random) -> Posed:
    """`steps` changes of a word, the last of which may be counting; the answer is a word or a number."""
    word = rng.choice(WORDS)
    counted = rng.random() < 0.2
    letters, long, short, last = word, [], [], ""
    for _ in range(steps - counted):
        last = _next(letters, last, rng)
        old = rng.choice(letters)
        new = rng.choice([letter for letter in "bdgkmotuz" if letter != old])
        letters = change(letters, last, old, new)
        full, brief = CHANGES[last]
        long.append(rng.choice(full).format(old=f"'{old}'", new=f"'{new}'"))
        short.append(brief.format(old=f"'{old}'", new=f"'{new}'"))
    if counted:
        return _counted(word, letters, long, short, rng)
    ending = rng.choice(("What do you get?", "What does it read now?", "What is left?"))
    return Posed(answer=letters, tellings=_tellings(word, long, short, ending, rng))


def change(letters: str, name: str, old: str, new: str) -> str:
    """The word after one change; `old` and `new` count only where the change is about them."""
    return {
        "reverse": letters[::-1],
        "drop first": letters[1:],
        "drop last": letters[:-1],
        "first to end": letters[1:] + letters[:1],
        "last to front": letters[-1:] + letters[:-1],
        "swap ends": letters[-1:] + letters[1:-1] + letters[:1],
        "put": letters + new,
        "replace": letters.replace(old, new),
    }[name]


def _next(letters: str, last: str, rng: Random) -> str:
    """A change that does not undo the one before and leaves at least four letters."""
    undone = {"first to end": "last to front", "last to front": "first to end", "put": "drop last"}
    names = [name for name in CHANGES if name not in (last, undone.get(last))]
    if len(letters) < 5:
        names = [name for name in names if not name.startswith("drop")]
    if letters[0] == letters[-1]:
        names = [name for name in names if name != "swap ends"]
    return rng.choice(names)


def _counted(word: str, letters: str, long: list[str], short: list[str], rng: Random) -> Posed:
    if rng.random() < 0.5:
        ending, answer = "How many letters does it have?", len(letters)
    else:
        ending, answer = "How many vowels does it have?", sum(letter in "aeiou" for letter in letters)
    if long:
        return Posed(answer=str(answer), tellings=_tellings(word, long, short, ending, rng))
    asked = ending.replace("it have", f"the word '{word}' have")
    return Posed(answer=str(answer), tellings=(asked, f"Look at the word '{word}'. {ending}"))


def _tellings(word: str, long: list[str], short: list[str], ending: str, rng: Random) -> tuple[str, ...]:
    return (
        f"Take the word '{word}'. {sentences(long, rng)} {ending}",
        f"Take the word '{word}', {chain(long, rng)}. {ending}",
        f"With the word '{word}': {bare(long, rng)}. {ending}",
        f"The word '{word}': {bare(short, rng)}. {ending}",
        f"I write down the word '{word}'. I {chain(long, rng)}. {ending}",
    )
