"""Words that say what kind of work a request asks for: a closed list by category, each word in one category.

A table, not code: adding a word changes what trained scorers read, so it goes with a new FEATURE_VERSION.
"""

from __future__ import annotations

CATEGORIES: dict[str, str] = {
    "what": "what what's whats",
    "who": "who whose whom",
    "when": "when",
    "where": "where",
    "why": "why",
    "how": "how",
    "which": "which",
    "negation": "not no never except cannot can't isn't doesn't don't without least incorrect false nor",
    "logic": "if then therefore because thus hence implies assume suppose given let unless whether iff",
    "quantity": "all every each some any many much more most less few fewer several total altogether",
    "produce": "write compose create generate draft make design give list provide suggest rewrite summarize "
    "summarise translate edit convert plan",
    "explain": "explain describe discuss analyze analyse evaluate justify derive prove show define identify interpret",
    "maths": "find calculate compute solve determine simplify sum product equation value integer integers "
    "number numbers polynomial probability triangle function matrix vector angle ratio area volume radius sqrt "
    "frac derivative integral log sin cos prime digits remainder divisible",
    "code": "code python program return def class import javascript sql html script algorithm array string api "
    "regex assert json loop bug error function's java",
    "compare": "than compare difference between versus vs better best same different similar",
    "time": "day days week weeks month months year years hour hours minute minutes old ago before after daily "
    "weekly first next last",
    "portion": "half twice times percent double triple third quarter rest remaining left per split equally",
    "function_word": "the a an of to in and is for on that with as by are it at be this from was were has have",
    "conditional": "would could should might may must had",
    "creative": "story poem song essay blog joke email letter recipe tips ideas article speech slogan tweet "
    "outline review",
    "personal": "you your i my me we our can please help want need",
    "option": "following statement statements true correct options choose answer select above",
}

NAMES: tuple[str, ...] = tuple(CATEGORIES)

# By the bytes of the lower-cased word, because that is what the reader cuts the text into.
CATEGORY_OF: dict[bytes, int] = {
    word.encode(): index for index, words in enumerate(CATEGORIES.values()) for word in words.split()
}
