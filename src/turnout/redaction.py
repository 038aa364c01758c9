"""Keeps secrets out of texts that people read: errors about settings, `repr`, log lines, commands' output. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

HIDDEN = "***"
_SECRET_NAME = re.compile(r"key|token|secret|passw|authorization|credential|cookie", re.I)
# What a key looks like wherever it comes from: some providers repeat the one that they refuse.
_SECRET = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|hf|r8|ghp|xoxb|whsec)[-_][\w*\-+/=]{6,}|\b(?:AKIA|AIza|eyJ)[\w\-.]{10,}\w|(?<=Bearer )\S+",
    re.I,
)
# The name of an environment variable, which tells nothing of what it holds.
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
# Words and names as settings hold them. What is longer, or holds other characters, may be a key or a URL.
_PLAIN_WORD = re.compile(r"[\w./\- ]{0,24}")
# A shorter one would hide common words.
_MIN_SECRET_LENGTH = 6


def is_secret_name(name: str) -> bool:
    """Whether what bears this name, a parameter or a variable, is a secret."""
    return _SECRET_NAME.search(name) is not None


def is_variable_name(text: str) -> bool:
    """Whether a text is the name of an environment variable as such names are written."""
    return _VARIABLE.fullmatch(text) is not None


def may_be_secret(text: str) -> bool:
    """Whether a text could be a key, a password or an address that holds one: then it is not repeated."""
    return _PLAIN_WORD.fullmatch(text) is None or _SECRET.search(text) is not None


def without_password(url: str) -> str:
    """The URL with `***` in the place of its password, and of its path and query where those are a webhook's token."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return HIDDEN if url else ""
    login, at, host = rest.rpartition("@")
    user = login.partition(":")[0]
    return f"{scheme}://{user}:{HIDDEN}@{host}" if at else f"{scheme}://{rest}"


def without_path(url: str) -> str:
    """The scheme and host of a URL whose path is a secret, as a webhook's is."""
    scheme, separator, rest = url.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    return f"{scheme}://{host}/{HIDDEN}" if separator else HIDDEN if url else ""


def without_secrets(params: Any, name: str = "") -> Any:
    """The same parameters with `***` in the place of each text that is named as secrets are, headers included."""
    if isinstance(params, Mapping):
        return {key: without_secrets(value, f"{name} {key}") for key, value in params.items()}
    if isinstance(params, list | tuple):
        return [without_secrets(value, name) for value in params]
    return HIDDEN if isinstance(params, str) and is_secret_name(name) else params


def secret_texts(params: Any, name: str = "") -> Iterator[str]:
    """The texts in a model's parameters that are named as secrets are, headers included."""
    if isinstance(params, Mapping):
        for key, value in params.items():
            yield from secret_texts(value, f"{name} {key}")
    elif isinstance(params, list | tuple):
        for value in params:
            yield from secret_texts(value, name)
    elif isinstance(params, str) and is_secret_name(name):
        yield params
        yield from params.split()[1:]


class Redactor:
    """Hides these secrets in texts, and whatever looks like a key."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # The longest first: one may be another's beginning.
        kept = {secret for secret in secrets if len(secret) >= _MIN_SECRET_LENGTH}
        self._secrets = sorted(kept, key=len, reverse=True)

    def redact(self, text: str) -> str:
        """The text with `[key]` in each key's place."""
        for value in self._secrets:
            text = text.replace(value, "[key]")
        return _SECRET.sub("[key]", text)

    def line(self, text: str, max_length: int) -> str:
        """The text redacted, on one line without control characters, of so many characters at most."""
        line = "".join(
            character if character.isprintable() else " " for character in self.redact(text[: 8 * max_length])
        )
        line = " ".join(line.split())
        return line if len(line) <= max_length else line[: max_length - 3] + "..."


# A run of so many characters that also stands in a source is a quotation; shorter ones are common words.
_QUOTED = 10
_BLOCK = 5
# Of longer sources every block is looked up so far, and then so many of the rest: a caller's text of any length costs
# no more time than that. Behind it only a long quotation is sure to be found.
_NEAR, _FAR_BLOCKS = 200_000, 100_000
_END = "\0"


def without_quotes(text: str, sources: Iterable[str]) -> str:
    """The text with `[...]` in the place of each run of at least 10 characters that a source holds as well."""
    source = "".join([_block_wise(""), *map(_block_wise, sources)])
    blocks = {source[at : at + _BLOCK]: at for at in _places(len(source))}
    hidden = bytearray(len(text))
    for at in range(len(text) - _BLOCK + 1):
        place = blocks.get(text[at : at + _BLOCK])
        if place is not None and not hidden[at]:
            start, end = _run(text, at, source, place)
            if end - start >= _QUOTED or _is_whole(source, place - (at - start), place + (end - at)):
                hidden[start:end] = b"\1" * (end - start)
    runs = re.sub(rb"\x01+", lambda run: b"\2" + b"\1" * (len(run[0]) - 1), bytes(hidden))
    return "".join("[...]" if mark == 2 else "" if mark else text[at] for at, mark in enumerate(runs))


def _places(length: int) -> Iterator[int]:
    """Where blocks of a source begin: every run of ten of its first characters holds one of these whole."""
    yield from range(0, min(length, _NEAR), _BLOCK)
    yield from range(_NEAR, length, max(_BLOCK, (length - _NEAR) // _FAR_BLOCKS))


def _block_wise(source: str) -> str:
    """The source with its end marked, so that the next one begins a block."""
    return source + _END * (_BLOCK + -len(source) % _BLOCK)


def _is_whole(source: str, start: int, end: int) -> bool:
    """Whether one source stands there from its beginning to its end."""
    return source[start - 1] == _END == source[end : end + 1]


def _run(text: str, at: int, source: str, place: int) -> tuple[int, int]:
    """The longest run around `at` in the text that equals the source's around `place`."""
    start, before = at, place
    while start and before and text[start - 1] == source[before - 1]:
        start, before = start - 1, before - 1
    end, after = at, place
    while end < len(text) and after < len(source) and text[end] == source[after]:
        end, after = end + 1, after + 1
    return start, end
