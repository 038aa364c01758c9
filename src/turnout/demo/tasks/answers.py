"""Reads the final answer out of a chatty reply and compares it with the right one."""

import re

_MARKED = re.compile(
    r".*\b(?:answer|result)\b[\s:*_`]*(?:(?:is|are|would be|comes to)\b|=)?[\s:*_`]*(.+)", re.IGNORECASE
)
_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")
_PUNCTUATION = re.compile(r"[*_`\"'“”‘’$().!?:]")
_STOP_WORDS = frozenset(
    {
        "a", "an", "and", "the", "it", "is", "are", "they", "or", "only", "of", "to", "be", "that", "so",
        "would", "will", "word", "now", "who", "names", "liars", "liar",
    }
)  # fmt: skip


def final_answer(reply: str) -> str:
    """The text after the last `answer is`, `Answer:` and the like, or else the last line that says something."""
    lines = [line for line in reply.splitlines() if re.search(r"\w", line)]
    for line in reversed(lines):
        marked = _MARKED.search(line)
        if marked and re.search(r"\w", marked[1]):
            return marked[1].strip()
    return lines[-1].strip() if lines else ""


def matches(answer: str, reply: str) -> bool:
    """Whether the reply's final answer is `answer`: a number, or one or several words in any order.

    A reply that names more than the right answer is wrong: nobody may answer by listing everything.
    """
    final = final_answer(reply)
    if re.fullmatch(r"-?\d+", answer):
        return _number(final) == int(answer)
    return _words(final) == _words(answer)


def _number(text: str) -> float | None:
    """The number in the text, after the last `=` if there is one; None where there are several, or none."""
    numbers = {float(number.replace(",", "")) for number in _NUMBER.findall(text.rsplit("=", 1)[-1])}
    return numbers.pop() if len(numbers) == 1 else None


def _words(text: str) -> tuple[str, ...]:
    """The words that count, lower case and sorted, so that `Ben and Ann.` is `Ann, Ben`."""
    words = _PUNCTUATION.sub(" ", text).lower().replace(",", " ").split()
    return tuple(sorted(word for word in words if word not in _STOP_WORDS or len(words) == 1))
