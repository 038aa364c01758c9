"""Over 500 pairs of alike questions in ten classes, written for these tests: of each pair the two want two answers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, permutations

# A sentence with one gap, and words for it of which no two ask the same.
SENTENCES: dict[str, tuple[tuple[str, str], ...]] = {
    "number": (
        ("What is {} percent of my salary?", "5|7|15|50|.5|5.5|1,500|twelve"),
        ("How do I cook rice for {} people?", "2|three|4|10|12"),
        ("Who won the world cup in {}?", "1998|2002|2010|2014|2022"),
    ),
    "unit": (
        ("How long is a walk of 5 {} with a dog?", "km|miles|meters|yards|feet|inches"),
        ("How much is 100 {} today?", "dollars|euros|pounds|yen|rupees"),
        ("Is a fever of 38 {} dangerous?", "celsius|fahrenheit|kelvin"),
    ),
    "name": (
        ("What is the capital of {}?", "France|Germany|Georgia|Spain|Austria|Australia"),
        ("Who is the CEO of {}?", "Apple|Google|Intel|Nvidia|Tesla"),
        ("which vitamin is {} for?", "c|d|e|k"),
    ),
    "negation": (
        ("Can I {} take this with milk?", "not|never|safely"),
        ("Which foods are {} gluten?", "with|without"),
        ("Why does my phone {}?", "charge|not charge|never charge"),
        ("Which countries {} in the European Union?", "are|are not|were never"),
        ("Should I tell my boss {} I am ill?", "if|unless|that"),
        ("Who {} vote here?", "can|cannot|can hardly"),
        ("Is {} allowed to park here?", "nobody|everybody|anybody|somebody"),
    ),
    "order": (
        ("How do I convert {}?", "JSON to XML|XML to JSON"),
        ("Does {}?", "a dog chase a cat|a cat chase a dog"),
        ("Is {}?", "Anna taller than Ben|Ben taller than Anna"),
        ("What is {}?", "10 divided by 5|5 divided by 10"),
    ),
    "quantifier": (
        ("Are {} birds able to fly?", "all|some|most|few|many|both"),
        ("Does it rain {} in May here?", "always|often|sometimes|rarely|never"),
        ("How many people need {} dose?", "one|another|a single|a double|half a"),
    ),
    "comparative": (
        ("Which fund has the {} fees?", "higher|lower|highest|lowest|better|worse"),
        ("What is the {} way to lose weight?", "best|worst|fastest|slowest|cheapest"),
        ("Is it {} to rent than to buy?", "cheaper|better|safer|harder"),
    ),
    "time": (
        ("Is the museum open {}?", "today|tomorrow|yesterday|monday|sunday|daily|in june"),
        ("Who {} the president?", "is|was|will be"),
        ("What do I eat {} a run?", "before|after|during"),
        ("What is the {} version of the app?", "current|next|previous|first|last"),
    ),
    "language": (
        ("How do I say thanks in {} politely?", "french|german|spanish|korean|hindi|dutch"),
        ("How do I reverse a list in {}?", "python|java|rust|ruby|go|kotlin"),
    ),
    "code": (
        ("What does x {} y do?", "==|=|!=|+|-|*|**|//|/"),
        ("What does {} do?", "`ls -a`|`ls -A`|`ls -l`|`rm -r`|`rm -R`"),
        ("what does grep {} print", "-i|-I|-v|-V"),
        ("Why is {} slow?", "list.sort()|list.sort|sorted(list)|list[sort]"),
    ),
}
TOWNS = ("paris", "london", "rome", "berlin", "madrid", "vienna", "oslo", "lisbon", "dublin", "athens")
OPPOSITES = (
    "enable disable|open close|buy sell|increase decrease|install uninstall|lock unlock|show hide|encrypt decrypt"
)


def adversarial_pairs() -> Iterator[tuple[str, str, str]]:
    """The pairs, each with its class."""
    for kind, sentences in SENTENCES.items():
        for sentence, words in sentences:
            for one, other in permutations(words.split("|"), 2):
                yield sentence.format(one), sentence.format(other), kind
    for one, other in combinations(TOWNS, 2):
        yield (
            f"How long is it from {one} to {other} by train?",
            f"how long is it from {other} to {one} by train",
            "order",
        )
        yield f"How far is {one} from Prague?", f"How far is {other} from Prague?", "name"
    for pair in OPPOSITES.split("|"):
        one, other = pair.split()
        yield f"How do I {one} it?", f"How do I {other} it?", "negation"
        yield f"Hello, what happens when I {one} it? Thanks!", f"what happens when I {other} it", "negation"


PAIRS = list(adversarial_pairs())
CLASSES = (*SENTENCES,)
