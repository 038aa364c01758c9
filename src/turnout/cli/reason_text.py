"""Puts a scorer's reasons into words that need no knowledge of its features. Pure."""

from __future__ import annotations

import re

_REASON = re.compile(r"(?P<sign>[+-])(?P<weight>\d+\.\d+)\s+(?P<name>.*?)(?: \((?P<count>[\d,.]+)\))?")
# Kinds of characters and of words whose names say too little.
_KINDS = {
    "lower characters": "small letters",
    "upper characters": "capital letters",
    "digit characters": "digits",
    "blank characters": "blanks",
    "line_end characters": "line ends",
    "sign characters": "signs such as & and #",
    "beyond_ascii characters": "letters and signs beyond ASCII",
    "function_word words": "small words such as 'the' and 'of'",
    **{f"{word} words": f"words such as {word!r}" for word in ("what", "who", "when", "where", "why", "how", "which")},
}
_PATTERNS = (
    (re.compile(r"count of (.+ words)"), r"\1"),
    (re.compile(r"share of (.+ words)"), r"how many of its words are \1"),
    (re.compile(r"begins with an? (.+) word"), r"begins with a word of the kind: \1"),
    (re.compile(r"count of (.+)"), r"\1 characters"),
    (re.compile(r"share of (.+)"), r"how many of its characters are \1 characters"),
)
# Names that say too little by themselves.
_WORDS = {
    "characters": "its length, in characters",
    "conversation_characters": "length of the other turns, in characters",
    "system_characters": "length of the system prompt, in characters",
    "stem_length": "its length without the options",
    "option_bytes": "length of its options, in bytes",
    "first_line_bytes": "length of its first line, in bytes",
    "last_line_bytes": "length of its last line, in bytes",
    "capitalised": "capitalised words",
    "words": "its length, in words",
    "gaps": "gaps to fill in",
    "defs": "function definitions",
    "returns": "return statements",
    "equalities": "comparisons by ==",
    "fractions": "fractions in TeX",
    "roots": "roots in TeX",
    "indents": "indented lines",
    "options": "options to choose from",
    "turns": "turns of the conversation",
    "tools": "tools offered",
    "word_length": "how long its words are",
    "words_per_sentence": "how long its sentences are",
    "long_word_share": "how many of its words are long",
    "distinct_word_share": "how few words it repeats",
    "number_share": "how much of it is numbers",
    "capitalised_share": "how many of its words are capitalised",
    "ends_with_question": "it ends with a question",
    "begins_with_capital": "it begins with a capital",
    "longest_word": "length of its longest word",
    "longest_number": "length of its longest number",
}


def reason_text(reason: str) -> str:
    """`+0.120  count of maths words (3)` as `towards expensive by 0.120: maths words (3)`; as it is where it has
    another form."""
    match = _REASON.fullmatch(reason)
    if match is None:
        return reason
    towards = "expensive" if match["sign"] == "+" else "cheap"
    count = f" ({match['count']})" if match["count"] else ""
    return f"towards {towards} by {match['weight']}: {_feature_text(match['name'])}{count}"


def _feature_text(name: str) -> str:
    if name in _WORDS:
        return _WORDS[name]
    for pattern, words in _PATTERNS:
        if pattern.fullmatch(name):
            text = pattern.sub(words, name)
            for kind, plain in _KINDS.items():
                text = re.sub(rf"(?<!\w){kind}$", plain, text)
            return text.replace("_", " ")
    # What is in quotes is the user's own: a group, a word.
    return name if "'" in name or '"' in name else name.replace("_", " ")
