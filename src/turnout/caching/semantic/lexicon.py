"""The words that the rules of `differences` know, as tables: courtesy, neutral words, one name for one thing, and the
words by which two alike questions ask two things."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

Difference = Literal[
    "number", "unit", "name", "negation", "order", "quantifier", "comparative", "time", "language", "code", "opposite",
    "word",
]  # fmt: skip

# Before these a courtesy is no courtesy: "thanks in french", "hello kitty", "thank you letter".
_ABOUT = "in|into|means?|meaning|vs|versus|or|and|from|by|as|of"
_AFTER_HELLO = (
    "lyrics|songs?|album|movie|film|cast|world|kitty|jude|dolly|ya|fi|america|vietnam|britain|sunshine|brother"
    "|neighbou?r|fresh|bank|magazine|games|app|cards?|images?|gifs?|quotes|emojis?|stickers?|messages"
)
_AFTER_THANKS = (
    "for|to|lyrics|songs?|letters?|notes?|cards?|gifts?|messages?|e-?mails?|texts?|speech|speeches|quotes?|poems?"
    "|images?|gifs?|pages?|signs?|templates?|emojis?|stickers?|videos?|repl(?:y|ies)|wishes|words?"
)
_ASKING = r"(?=[,:]? (?:how|what|what's|when|where|where's|who|who's|why|which|whose|if|whether|the|a|an|any)(?![\w-]))"


def _no(*words: str) -> str:
    return rf"(?! (?:{'|'.join(words)})(?![\w'’-]))"


# What opens or closes a question without being part of it; each is taken off again and again.
OPENING = re.compile(
    r"(?:(?:hi|hello|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day)|excuse me)"
    rf"(?: (?:there|everyone|everybody|all|team|again))?{_no(_ABOUT, _AFTER_HELLO)}"
    rf"|(?:please|kindly|pls|plz){_no(_ABOUT)}"
    rf"|(?:many )?(?:thanks|thank you|thx)(?: (?:a lot|so much|very much|in advance))*{_no(_ABOUT, _AFTER_THANKS)}"
    r"|(?:can|could|would|will) you (?:please |kindly |pls )?(?:tell me|let me know)"
    r"|(?:can|could|would|will) you (?:please|kindly)"
    rf"|tell me|(?:do you know|may i ask){_ASKING}|i (?:wonder|was wondering|am wondering)|just wondering"
    r"|i have a (?:quick )?question"
    r"|(?:i would like|i want|i wanted|i need|i'd like) to know|quick question)(?![\w'’-])"
)
CLOSING = re.compile(
    r"(?<![\w'’-])(?:please|pls|plz"
    r"|(?:please and )?(?:many )?(?:thanks|thank you|thx|cheers|tia|much appreciated)"
    r"(?: (?:a lot|so much|very much|in advance|again|a million|for (?:your|the|any) help))*"
    r"|if you do(?:n't|n’t| not) mind|have a (?:nice|good|great) day)$"
)
# After these, what would close a question is part of it.
SAYING = frozenset(
    {
        *(
            "say",
            "saying",
            "says",
            "said",
            "spell",
            "wrote",
            "sang",
            "sings",
            "recorded",
            "called",
            "titled",
            "with",
            "of",
            "or",
            "a",
            "an",
        ),
        *("the", "to", "in", "big", "your", "my", "his", "her", "their", "than", "vs", "versus", "between"),
    }
)

_WITH_IS = ("what", "where", "who", "how", "that", "it", "there", "when", "why", "here")
_WITH_NOT = (
    *("do", "does", "did", "is", "are", "was", "were", "has", "have", "had", "would", "could", "should", "must"),
    *("need", "might"),
)
# Spoken out before words are compared. Without their apostrophe only those that are no other word.
SPOKEN: Mapping[str, tuple[str, ...]] = {
    **{
        f"{word}{mark}s": (word, "is")
        for word in _WITH_IS
        for mark in ("'", "")
        if (word, mark) != ("it", "")
    },
    **{f"{word}n{mark}t": (word, "not") for word in _WITH_NOT for mark in ("'", "")},
    "can't": ("can", "not"), "cannot": ("can", "not"), "cant": ("can", "not"), "won't": ("will", "not"),
    "wont": ("will", "not"), "shan't": ("shall", "not"), "ain't": ("is", "not"), "i'm": ("i", "am"),
    "im": ("i", "am"), "i've": ("i", "have"), "ive": ("i", "have"), "i'd": ("i", "would"), "i'll": ("i", "will"),
    "you're": ("you", "are"), "they're": ("they", "are"), "we're": ("we", "are"), "let's": ("let", "us"),
}  # fmt: skip

# They change nothing about what is asked, wherever they stand. Neither pronouns nor prepositions are among them.
NEUTRAL = frozenset(["a", "an", "the", "is", "are", "am", "do", "does", "just", "actually", "basically"])
ARTICLES = frozenset({"a", "an", "the"})
AUXILIARIES: Mapping[str, str] = {"is": "be", "are": "be", "am": "be", "do": "do", "does": "do"}
# Before these `a` is a word of its own: "a few" is not "few".
AFTER_A = frozenset({"few", "little"})
# After these it is a name, as in "vitamin a".
BEFORE_A = frozenset(
    {
        *("vitamin", "hepatitis", "grade", "plan", "type", "group", "class", "option", "part", "section", "team"),
        *("level", "influenza", "flu", "strep", "gate", "hall", "room", "terminal", "building", "block", "model"),
        *("series", "serie", "division", "league", "exam", "appendix", "exhibit", "schedule", "factor", "line"),
        *("blood", "variant", "row"),
    }
)
# What no noun is: an article before it, or before the end, is meant as a word.
NO_NOUN = frozenset(
    {
        *("", "in", "at", "of", "for", "to", "on", "with", "by", "from", "before", "after", "when", "than", "and"),
        *("or", "vs", "versus", "mean", "means", "is", "are", "do", "does", "if", "as", "the", "a", "an"),
    }
)
# Before these "just" is courtesy: "I just want to know".
WISHING = frozenset({"want", "wanted", "need", "needed", "wonder", "wondered"})
# After these any word is meant as a word.
NAMING = frozenset({"word", "verb", "article", "adverb", "between", "or", "vs", "versus"})
# Where one of these is said, two spellings of a word are two.
SPELLING = frozenset({"spell", "spelled", "spells", "spelt", "spelling", "spellings", "hyphen", "hyphenated"})
# Where one of these is said, no word is neutral: "the past tense of is".
OF_WORDS = frozenset(
    {
        *(
            "tense",
            "plural",
            "singular",
            "verb",
            "noun",
            "pronoun",
            "adjective",
            "preposition",
            "conjugate",
            "translate",
        ),
        *("conjugation", "translation", "pronounce", "pronunciation", "syllables", "rhyme", "rhymes", "letters"),
        *("punctuation", "uppercase", "lowercase", "capitalize", "capitalise"),
    }
)
# After the one, and before the other, an auxiliary is a keyword: "use do while".
KEYWORD = frozenset({"use", "using", "keyword", "operator", "statement", "loop"})
LOOPING = frozenset({"while", "until", "loop", "loops", "block", "blocks", "keyword", "operator"})
# Their full stop ends no sentence.
ABBREVIATED = frozenset(
    {"dr.", "mr.", "mrs.", "ms.", "st.", "prof.", "sgt.", "gen.", "no.", "vs.", "ft.", "mt.", "rev."}
)
# In capitals they are names.
ACRONYMS = frozenset({"it", "us", "who", "or", "me", "as", "am"})

# How a question about a way to do something begins: all of them say "how to".
FRAMES: tuple[tuple[str, ...], ...] = tuple(
    sorted(
        {
            *(("how", verb, who) for verb in ("do", "can", "could", "should", "would") for who in ("i", "one")),
            ("how", "does", "one"),
            *(("what", "is", article, "way", "to") for article in ("the", "a")),
        },
        key=len,
        reverse=True,
    )
)  # fmt: skip

_BELOW_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SAME = (
    "usa|u.s.a|united states of america|united states|u.s",
    "uk|u.k|united kingdom",
    "nyc|new york city",
    "ai|artificial intelligence",
    "tv|television",
    "photo|photograph",
    "movie|film",
    "buy|purchase",
    "begin|start",
    "big|large",
    "fix|repair",
    "phone|telephone",
    "mobile phone|cell phone|cellphone|cell-phone",
    "email|e-mail",
    "website|web site|web-site",
    "wifi|wi-fi",
    "ok|okay",
    "color|colour",
    "favorite|favourite",
    "center|centre",
    "organize|organise",
    "car|automobile",
    "kilometer|kilometre|kilometers|kilometres",
    "meter|metre|meters|metres",
    "liter|litre|liters|litres",
    "percent|%",
)


def _one_name() -> Iterable[tuple[tuple[str, ...], tuple[str, ...]]]:
    for value, word in enumerate(_BELOW_TWENTY.split()):
        yield (word,), (str(value),)
    for word, value in (("hundred", 100), ("thousand", 1000)):
        yield (word,), (str(value),)
    ones = _BELOW_TWENTY.split()[1:10]
    for ten, word in enumerate(_TENS_WORDS.split(), 2):
        yield (word,), (str(10 * ten),)
        for one, other in enumerate(ones, 1):
            # Not 30-5, which is 25.
            yield (word, "-", other), (str(10 * ten + one),)
            yield (word, other), (str(10 * ten + one),)
    for group in _SAME:
        first, *others = group.split("|")
        for other in others:
            yield tuple(re.findall(r"[\w]+|\S", other)), (first,)


# Words, as tokens, and the one word that stands for them.
ONE_NAME: Mapping[tuple[str, ...], tuple[str, ...]] = dict(_one_name())
LONGEST_NAME = max(map(len, ONE_NAME))

_KINDS: tuple[tuple[Difference, str], ...] = (
    (
        "unit",
        "mm cm m km inch inches foot feet ft yard yards mile miles mg g kg gram grams kilogram kilograms ounce ounces "
        "oz lb lbs pound pounds ton tons tonne tonnes ml l liter gallon gallons pint pints cup cups teaspoon celsius "
        "fahrenheit kelvin b kb mb gb tb bit bits byte bytes kilobyte megabyte gigabyte terabyte usd eur gbp jpy inr "
        "cad aud chf dollar dollars euro euros yen rupee rupees yuan franc francs cent cents percent kmh mph kph "
        "knots meter kilometer acre acres hectare hectares watt watts kilowatt volt volts amp amps fl square cubic "
        "joule joules calorie calories hz khz mhz ghz rpm psi bar pascal radian radians degree degrees $ € £ ¥ tsp "
        "tbsp tablespoon teaspoons tablespoons mcg ug nm µm micrometer nanometer nautical furlong league fathom stone "
        "stones quart quarts dl cl hl barrel barrels mb/s mbps gbps kbps kib mib gib tib petabyte pb kw kwh mw mwh gw "
        "gwh kj kcal mmhg atm newton newtons tesla ohm ohms farad lumen lumens lux db decibel decibels sek nok dkk "
        "pln czk huf rub krw brl mxn zar sgd hkd nzd peso pesos krona kroner zloty ruble rubles reais shekel shekels "
        "dirham dinar bitcoin btc eth ether sqft sqm m2 m3 km2 dpi ppi px em rem karat karats carat carats hpa kpa "
        "mpa mol mmol nmol µmol quid buck bucks hp bps nmi",
    ),
    (
        "negation",
        "not no never none nobody nothing nowhere neither nor without cannot except unless hardly barely excluding "
        "n't non avoid instead lack lacks lacking scarcely aint fail fails failed failing minus exclude excludes nope "
        "refuse refuses refused stop stops stopped prevent prevents but else besides aside sans",
    ),
    (
        "quantifier",
        "all any some every each both few many most several half only either least always often sometimes usually "
        "rarely everyone everybody anyone someone somebody much lot lots majority minority entire whole part single "
        "double triple once twice another other others about exactly almost nearly a seldom frequently occasionally "
        "regularly constantly little plenty couple dozen dozens pair pairs hundreds thousands millions billions "
        "million billion hundredth quarter quarters third thirds fifth tenth multiple numerous fewest roughly "
        "approximately precisely barely partly partially fully completely entirely mostly mainly largely slightly "
        "solely singles doubles anything everything something even also merely full empty zero enough just actually "
        "basically an the",
    ),
    (
        "comparative",
        "more less fewer better worse best worst bigger smaller larger higher lower faster slower cheaper older "
        "younger longer shorter greater stronger weaker richer poorer harder easier newer earlier later hotter colder "
        "lighter heavier taller deeper safer above below over under maximum minimum max min highest lowest biggest "
        "smallest largest tallest shortest longest fastest slowest cheapest oldest youngest newest strongest weakest "
        "hardest easiest than as top bottom good bad big small high low fast slow cheap expensive warmer cooler "
        "warmest coolest nearest farthest furthest closest closer nearer farther further simplest simpler quicker "
        "quickest hottest coldest lightest heaviest deepest shallowest shallower safest riskiest riskier richest "
        "poorest greatest lesser latest earliest wider narrower widest narrowest thicker thinner thickest thinnest "
        "brighter darker brightest darkest louder quieter loudest quietest stricter strictest milder mildest fresher "
        "sweeter happier happiest saddest sadder healthier healthiest rarest rarer commonest same different equal "
        "unequal superior inferior major minor senior junior upper inner outer front back tall short long wide narrow "
        "thick thin heavy light near far deep shallow strong weak easy hard difficult simple average median rich poor "
        "loud quiet bright dark warm cool young minimal maximal too very extremely basic standard premium beginner "
        "beginners advanced",
    ),
    (
        "time",
        "today tomorrow yesterday tonight now currently before after until till since during while last next first "
        "second third minute hour day week weekend month quarter year decade century seconds minutes hours days weeks "
        "months years morning noon afternoon evening night midnight monday tuesday wednesday thursday friday saturday "
        "sunday january february march april may june july august september october november december jan feb mar apr "
        "jun jul aug sep sept oct nov dec spring summer autumn fall winter ago daily weekly monthly yearly annually "
        "hourly old new previous current past future recent recently early late sooner later soon formerly earlier "
        "eventually immediately weekday weekdays weekends mornings afternoons evenings nights lunch dinner breakfast "
        "brunch supper dawn dusk sunrise sunset fortnight decades centuries millennium semester trimester season "
        "seasons holiday christmas easter ramadan hanukkah halloween thanksgiving mondays tuesdays wednesdays "
        "thursdays fridays saturdays sundays utc gmt est pst cet am pm already yet still then ever being win wins won "
        "winning might was were did had been will would shall going used bc ad bce ce biweekly bimonthly biannual "
        "biannually",
    ),
    (
        "language",
        "english german french spanish italian portuguese dutch polish russian chinese mandarin cantonese japanese "
        "korean arabic hindi turkish swedish danish norwegian finnish greek hebrew latin czech hungarian thai "
        "vietnamese bengali urdu tamil ukrainian irish welsh gaelic scottish basque catalan galician farsi persian "
        "pashto dari kurdish swahili zulu xhosa yoruba igbo hausa amharic somali malay indonesian tagalog filipino "
        "javanese khmer lao burmese mongolian tibetan nepali sinhala punjabi gujarati marathi telugu kannada "
        "malayalam romanian bulgarian serbian croatian slovak slovene slovenian bosnian macedonian albanian estonian "
        "latvian lithuanian icelandic armenian georgian azerbaijani kazakh uzbek belarusian maltese luxembourgish "
        "flemish afrikaans yiddish esperanto sanskrit maori hawaiian samoan quechua guarani brazilian american "
        "british mexican canadian elixir erlang dart zig nim clojure lisp scheme racket ocaml fsharp csharp cpp "
        "groovy fortran cobol ada pascal delphi prolog solidity vba assembly wasm webassembly graphql markdown latex "
        "toml protobuf regex tcl awk sed zsh fish pandas polars numpy django flask fastapi react vue angular svelte "
        "python java javascript typescript rust go golang ruby php perl sql kotlin swift scala bash powershell "
        "haskell julia matlab lua r c html css xml json yaml",
    ),
    (
        "opposite",
        "enable disable activate deactivate on off open close start stop begin end increase decrease raise lower add "
        "remove delete create destroy install uninstall upgrade downgrade import export upload download push pull "
        "encrypt decrypt encode decode compress decompress lock unlock show hide connect disconnect subscribe "
        "unsubscribe follow unfollow block unblock mute unmute join leave enter exit buy sell lend borrow give take "
        "send receive win lose gain love hate like dislike accept reject allow deny forbid permit agree disagree "
        "include exclude allowed legal illegal possible impossible safe unsafe dangerous true false yes healthy "
        "unhealthy advantages disadvantages advantage disadvantage pros cons benefits risks cause causes effect "
        "effects before after left right up down in out inside outside to from with against for into onto north south "
        "east west male female man woman men women boy girl father mother son daughter husband wife brother sister "
        "positive negative public private hot cold wet dry birth death alive dead married single arrive depart "
        "arrival free paid closed opened finish started finished full-time part-time online offline manual automatic "
        "internal external local remote global static dynamic temporary permanent imported exported rise rises fall "
        "falls rising falling upward downward forward backward backwards clockwise fill empty attach detach mount "
        "unmount enabled disabled hire fire employ promote demote reward punish praise blame mother-in-law uncle aunt "
        "nephew niece king queen guilty innocent sick rent own credit debit gross net profit loss inhale exhale "
        "freeze melt float sink attack defend build demolish departure ascending descending asc desc first min max "
        "input output client server read write save discard who what when where why which whose how can should must "
        "may could i you he she we they my your his her our their me him us them this that these those and or if is "
        "are am do does at by of per via through across between among behind around hello hi hey please thanks thank "
        "thx cheers",
    ),
)
# What turns the rest of a word round.
NEGATING = (
    *("un", "non", "in", "im", "il", "ir", "dis", "mis", "de", "anti", "ab", "mal", "counter"),
    *("non-", "un-", "dis-", "anti-", "de-"),
)
_TENS, _ONES = ("", "x", "xx", "xxx"), ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix")
ROMAN = frozenset(ten + one for ten in _TENS for one in _ONES if len(ten + one) > 1)
CLASSES: Mapping[str, Difference] = {word: kind for kind, words in reversed(_KINDS) for word in words.split()}
# Which of several kinds is told.
RANKED: tuple[Difference, ...] = (
    "number", "unit", "negation", "quantifier", "comparative", "time", "language", "code", "opposite", "name",
)  # fmt: skip
