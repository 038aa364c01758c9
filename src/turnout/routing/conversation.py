"""What of a conversation is read: the last human turn with the task's first one; turns, tools, images, system prompt.

What agents wrap around a human's words (openai/human_words.py) is left out, so it changes no decision. A long text is
read at its head and tail; of many messages the first and the last ones, and of many parts too, within one allowance for
all messages together. So reading takes bounded time whatever is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from turnout.openai.human_words import END, example_length, human_words, is_wrapped
from turnout.openai.messages import IMAGE_PARTS, Message
from turnout.ports.scoring import Query

# Bytes read at each end of a long text. 2 x 3,000 covers 99.9 % of the prompts measured and costs 0.6 ms.
END_BYTES = 3_000
# Messages of a request that are read, and parts of all of these together.
MOST_MESSAGES = 400
MOST_PARTS = 400
# Of the task's first turn, where it is not the last one.
FIRST_BYTES = 1_000
# User turns in which a human's words are looked for, at each end of a conversation.
MOST_HUMAN = 30
# Of these, so many at each end are looked through for END characters at their ends, those in between for less.
NEAR = 3
FAR_END = 300
SYSTEM_ROLES = ("system", "developer")
# Written out once: `list | tuple` is built anew each time that it is asked for.
LISTS = (list, tuple)

T = TypeVar("T")
# What is read of a message: its role, its texts, how many images.
Turn = tuple[object, Sequence[str], int]
# Human turns and their answers, characters of the other human turns, of the system prompt, tools, images.
Context = tuple[float, float, float, float, float]


def last_turn(query: Query) -> tuple[bytes, int, Context]:
    """The last human turn after the task's first one, their ends where they are long; their length in characters; what
    stands around them. The last user turn where no human spoke, the last turn where no user did."""
    messages = query.messages
    content = messages[0].get("content")
    # Nearly every request is one text.
    if len(messages) == 1 and isinstance(content, str) and not is_wrapped(content):
        return *_encoded((content,)), (1.0, 0.0, 0.0, float(query.tools), 0.0)
    turns = turns_of(messages)
    if example := example_length(texts[0] if texts else "" for _, texts, _ in turns):
        turns = [*(turn for turn in turns[:example] if turn[0] in SYSTEM_ROLES), *turns[example:]]
    spoken = [texts for role, texts, _ in turns if role == "user"]
    asked = both_ends(spoken, 2 * MOST_HUMAN)
    near = (range(NEAR), range(len(asked) - NEAR, len(asked)))
    humans = [
        said
        for at, texts in enumerate(asked)
        if (said := _human(texts, END if at in near[0] or at in near[1] else FAR_END))
    ]
    if not humans:
        humans = [tuple(spoken[-1] if spoken else turns[-1][1])]
    data, length = _encoded(humans[-1])
    others = sum(_length(said) for said in humans[:-1])
    if len(humans) > 1:
        first, _ = joined_ends(humans[0], FIRST_BYTES)
        data = first.encode("utf-8", "replace") + b"\n" + data
        length += _length(humans[0]) + 1
    images = sum(shown for role, _, shown in turns if role == "user")
    system = next((_length(_human(texts)) for role, texts, _ in turns if role in SYSTEM_ROLES), 0)
    return data, length, (2.0 * len(humans) - 1.0, float(others), float(system), float(query.tools), float(images))


def _human(texts: Sequence[str], end: int = END) -> Sequence[str]:
    """These texts without what no human wrote; themselves where they hold nothing of the kind."""
    if len(texts) == 1:
        words = human_words(texts[0], end)
        return (words,) if words else ()
    whole, length = joined_ends(texts, end)
    words = human_words(whole, end)
    if words == whole:
        return texts if length else ()
    return (words,) if words else ()


def _length(texts: Sequence[str]) -> int:
    return sum(map(len, texts)) + max(0, len(texts) - 1)


def turns_of(messages: Sequence[Message]) -> list[Turn]:
    """What is read of these: MOST_MESSAGES and, in all of them, MOST_PARTS. Long lists of parts give way to short
    ones: each is read to the same length at most."""
    said = [(message.get("role"), message.get("content")) for message in both_ends(messages, MOST_MESSAGES)]
    most = _level([len(content) for _, content in said if isinstance(content, LISTS)])
    return [_turn(role, content, most) for role, content in said]


def both_ends(items: Sequence[T], most: int) -> Sequence[T]:
    """All of them, or the first and the last ones where they are more."""
    if len(items) <= most:
        return items
    last = most // 2
    return [*items[: most - last], *items[len(items) - last :]]


def joined_ends(texts: Sequence[str], end: int) -> tuple[str, int]:
    """The texts joined by line ends, or the first and last `end` characters of that where it is longer; the length of
    all. What is not kept is not copied either."""
    length = len(texts[0]) if len(texts) == 1 else sum(map(len, texts)) + max(0, len(texts) - 1)
    if length <= 2 * end:
        return "\n".join(texts), length
    return f"{_head(texts, end)}\n{_tail(texts, end)}", length


def _head(texts: Iterable[str], room: int) -> str:
    kept = []
    for text in texts:
        kept.append(text[:room])
        room -= len(text) + 1
        if room < 0:
            break
    return "\n".join(kept)


def _tail(texts: Sequence[str], room: int) -> str:
    kept = []
    for text in reversed(texts):
        kept.append(text[max(0, len(text) - room) :])
        room -= len(text) + 1
        if room < 0:
            break
    return "\n".join(reversed(kept))


def _encoded(texts: Sequence[str]) -> tuple[bytes, int]:
    text, length = joined_ends(texts, END_BYTES)
    data = text.encode("utf-8", "replace")
    # A character takes up to four bytes.
    return (data if len(data) <= 2 * END_BYTES else data[:END_BYTES] + b"\n" + data[-END_BYTES:]), length


def _level(counts: Sequence[int]) -> int:
    """How many parts of each message are read, so that no more than MOST_PARTS are in all; at least one."""
    left = MOST_PARTS
    for place, count in enumerate(sorted(counts)):
        level = left // (len(counts) - place)
        if count > level:
            return level
        left -= count
    return MOST_PARTS


def _turn(role: object, content: object, most: int) -> Turn:
    if isinstance(content, str):
        return role, (content,), 0
    texts: list[str] = []
    images = 0
    for part in both_ends(content, most) if isinstance(content, LISTS) else ():
        if isinstance(part, Mapping):
            if isinstance(text := part.get("text"), str):
                texts.append(text)
            images += part.get("type") in IMAGE_PARTS
    return role, texts, images
