"""What of a question is compared to the letter: code, units of another size, and a text that is handed over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from turnout.caching.semantic.lexicon import CLOSING

_QUOTED = re.compile(r"`+([^`]*)`+")
# The address of a site, or the name of a file, in whatever case.
_DOTTED_NAME = re.compile(r"\w[\w-]+(?:[.][\w-]+)*[.][^\W\d_]{2,}$|[^\W\d_][.][^\W\d_]{3,}$")
# What is code by its looks: flags, calls, brackets, variables, paths.
_CODE = re.compile(r"--?[A-Za-z][\w-]*$|.*[_(){}\[\]<>=$\\|&~^*#@/]")
# `userId` is not `userid`. Products begin with one small letter (iPhone) or end in capitals (macOS).
_CAMEL_CASE = re.compile(r"[a-z]{2,}[A-Z][a-z]")
# Units that are others in another case: bits for bytes, milli for mega, minutes for millions.
_CASED_UNIT = re.compile(r"\d*(?:[KMGT]b(?:ps|/s)?|m(?:W|V|J|A|Hz|Pa))$|\d+M$")
# "a: b", "a? b" and "a, = f()" are code; after a word such a mark is none. So is the last mark of ".*?".
_MARKED = re.compile(r"[^\W\d_][,;:?!]$|\d[,;:]$|_[,;:]$|.*[*+?}][?]$")
_PATTERN = re.compile(r"\b(?:regexp?s?|regular expressions?|match(?:es)?)\b", re.IGNORECASE)
_DOTTED = re.compile(r"\w[.]$")
# Who asks so asks of the very words behind the colon.
_HANDING_OVER = re.compile(
    r"\b(?:translat\w*|correct|proofread|fix|improve|edit|revise|polish|shorten|check|count|words?|letters?|characters?"
    r"|syllables?|rewrite|rephrase|paraphrase"
    r"|(?:upper|lower)[ -]?case|capital(?:s|i[sz]e\w*)|punctuat\w*|commas?|spell\w*|grammar|grammatical\w*|polite\w*"
    r"|subject of|verb|noun|repeat|reverse|is (?:this|it|that) an? (?:question|sentence|statement))\b"
)
_OF_CASE = re.compile(r"case|capital")
_OF_MARKS = re.compile(r"punctuat|comma|question|sentence|statement")
_CLOSED = re.compile(rf"(?<=[.?!])\s+(?:{CLOSING.pattern[:-1]})[.!\s]*$")


def code_in(text: str, chunks: Sequence[str], inner: Iterable[str]) -> tuple[str, ...]:
    """chunks: of the text, without the marks that end a sentence. inner: those with their marks, where such a mark ends
    no question."""
    code = [chunk for chunk in chunks if _CODE.match(chunk) or _CASED_UNIT.match(chunk) or _CAMEL_CASE.match(chunk)]
    code += [chunk.casefold() for chunk in chunks if _DOTTED_NAME.match(chunk)]
    marked = [chunk.casefold() for chunk in inner if _MARKED.match(chunk)]
    if _PATTERN.search(text):
        marked += [chunk for chunk in inner if _DOTTED.match(chunk)]
    return (*_QUOTED.findall(text), *code, *marked)


def handed_over(text: str) -> tuple[str, ...]:
    """The text behind the colon of one that says what to do with it: "Correct: who's he". text: without what opens it
    by courtesy. Its case counts where case is asked for, the marks at its end where marks are."""
    head, colon, tail = text.partition(": ")
    task = head.casefold()
    if not colon or not _HANDING_OVER.search(task):
        return ()
    tail = tail if _OF_CASE.search(task) else tail.casefold()
    tail = _CLOSED.sub("", tail)
    return (tail if _OF_MARKS.search(task) else tail.rstrip(" .,?;:!…"),)
