"""Over 1,900 pairs of alike questions in ten classes, written for these tests: the two of each want two answers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, permutations
from pathlib import Path

from tests.caching.semantic.adversarial_forms import FORMS

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
# Two questions each, in other words than those above.
PAIRS_OF_A_KIND: dict[str, tuple[tuple[str, str], ...]] = {
    "number": (
        ("How many calories are in 2 eggs?", "How many calories are in 3 eggs?"),
        ("Convert 1.5 hours to minutes", "Convert 15 hours to minutes"),
        ("What is 7 to the power of 3?", "What is 3 to the power of 7?"),
        ("What happened in 1914?", "What happened in 1941?"),
        ("Is a 40-year mortgage wise?", "Is a 30-year mortgage wise?"),
        ("Give me the square root of sixteen", "Give me the square root of sixty"),
        ("What does HTTP 404 mean?", "What does HTTP 403 mean?"),
        ("What is the first amendment?", "What is the fifth amendment?"),
        ("Who was Henry VIII?", "Who was Henry VII?"),
        ("How tall is a 6'2\" man in cm?", "How tall is a 5'2\" man in cm?"),
        ("is 1/2 cup ok", "is 1/3 cup ok"),
        ("What is a dozen minus one?", "What is a couple minus one?"),
        ("Is half of it enough?", "Is a quarter of it enough?"),
        ("What is two hundred plus 5?", "What is two thousand plus 5?"),
        ("what is ½ of 10", "what is ¼ of 10"),
        ("what is 10²", "what is 10³"),
        ("version ii or later?", "version iii or later?"),
    ),
    "unit": (
        ("How heavy is a 3 kg dog?", "How heavy is a 3 lb dog?"),
        ("Is 20 degrees C warm?", "Is 20 degrees F warm?"),
        ("Set timer for 10 seconds", "Set timer for 10 minutes"),
        ("Is 5 GB enough for a month?", "Is 5 TB enough for a month?"),
        ("How long is 100 mm?", "How long is 100 nm?"),
        ("How much is 50 USD worth?", "How much is 50 SEK worth?"),
        ("Is 200 mg of caffeine a lot?", "Is 200 mcg of caffeine a lot?"),
        ("what is 5 nautical miles", "what is 5 miles"),
        ("how much is 3 tbsp", "how much is 3 tsp"),
        ("Is 100 kwh a lot?", "Is 100 mwh a lot?"),
        ("How big is 1 MiB?", "How big is 1 MB?"),
    ),
    "name": (
        ("When was Marie Curie born?", "When was Pierre Curie born?"),
        ("Who wrote Emma?", "Who wrote Persuasion?"),
        ("how do i get to heathrow", "how do i get to gatwick"),
        ("What is the population of Iran?", "What is the population of Iraq?"),
        ("does netflix have ads", "does hulu have ads"),
        ("side effects of ibuprofen", "side effects of naproxen"),
        ("Where does Tom Hanks live?", "Where does Tom Hardy live?"),
        ("reset my gmail password", "reset my outlook password"),
        ("What is the capital of North Korea?", "What is the capital of South Korea?"),
        ("Who played Batman?", "Who played Robin?"),
    ),
    "negation": (
        ("Should I reply to the letter?", "Should I not reply to the letter?"),
        ("What can I eat on keto?", "What can't I eat on keto?"),
        ("Is it safe to drink?", "Is it unsafe to drink?"),
        ("Which birds fly?", "Which birds do not fly?"),
        ("Is water conductive?", "Is water nonconductive?"),
        ("Why is the sky never green?", "Why is the sky green?"),
        ("What happens if I stop paying?", "What happens if I do not stop paying?"),
        ("Is this legal?", "Is this illegal?"),
        ("Is he married?", "Is he unmarried?"),
        ("Can dogs see in color?", "Can dogs see no color?"),
        ("is it fat free", "is it fat"),
        ("Is it possible without sugar?", "Is it possible with sugar?"),
        ("Why did they fail to pay?", "Why did they pay?"),
        ("Is anyone allowed?", "Is no one allowed?"),
        ("do vegans lack iron", "do vegans have iron"),
        ("Is it dis-allowed?", "Is it allowed?"),
    ),
    "order": (
        ("Who beat Brazil, Germany?", "Who beat Germany, Brazil?"),
        ("Is A a subset of B?", "Is B a subset of A?"),
        ("Can I sue my landlord if he sues me?", "Can he sue my landlord if I sue me?"),
        ("translate german into english", "translate english into german"),
        ("flights from oslo to rome", "flights from rome to oslo"),
        ("subtract 5 from 9", "subtract 9 from 5"),
        ("Did Anna hire Bob?", "Did Bob hire Anna?"),
        ("Does sleep affect stress?", "Does stress affect sleep?"),
        ("Should I eat then run?", "Should I run then eat?"),
        ("Is tea better than coffee?", "Is coffee better than tea?"),
    ),
    "quantifier": (
        ("Do all snakes bite?", "Do some snakes bite?"),
        ("Can anyone apply?", "Can everyone apply?"),
        ("Is every prime odd?", "Is any prime odd?"),
        ("at least 5 characters?", "at most 5 characters?"),
        ("Do most people agree?", "Do few people agree?"),
        ("more than ten items?", "exactly ten items?"),
        ("Do cats always land on feet?", "Do cats usually land on feet?"),
        ("Is none of it true?", "Is all of it true?"),
        ("Are several needed?", "Are two needed?"),
        ("Do I pay once?", "Do I pay twice?"),
        ("seldom late?", "frequently late?"),
        ("is plenty left", "is little left"),
    ),
    "comparative": (
        ("Which laptop is lighter?", "Which laptop is heavier?"),
        ("Is it warmer in May?", "Is it cooler in May?"),
        ("the nearest pharmacy?", "the farthest pharmacy?"),
        ("What is the least popular name?", "What is the most popular name?"),
        ("Is the older model better?", "Is the newer model better?"),
        ("What is the quickest route?", "What is the shortest route?"),
        ("Which is richer, A or B?", "Which is poorer, A or B?"),
        ("the simplest way to cook rice", "the hardest way to cook rice"),
        ("a more detailed plan", "a less detailed plan"),
        ("who is taller", "who is shorter"),
        ("the best way to cook rice", "the worst way to cook rice"),
        ("What is the best way to cook rice?", "How do I cook rice?"),
    ),
    "time": (
        ("What did Apple announce last week?", "What did Apple announce last month?"),
        ("Weather in Rome tonight", "Weather in Rome tomorrow"),
        ("Is it open on weekdays?", "Is it open on weekends?"),
        ("Who will win?", "Who won?"),
        ("What time is lunch?", "What time is dinner?"),
        ("events in early March", "events in late March"),
        ("events in the 1980s", "events in the 1990s"),
        ("Can I swim right after eating?", "Can I swim right before eating?"),
        ("tax deadline this year", "tax deadline next year"),
        ("Is it 5 am there?", "Is it 5 pm there?"),
        ("news from yesterday", "news from today"),
        ("does she run", "did she run"),
        ("Was it raining?", "Is it raining?"),
        ("schedule for monday", "schedule for tuesday"),
        ("at dawn", "at dusk"),
    ),
    "language": (
        ("say good morning in Swahili", "say good morning in Zulu"),
        ("hello in irish", "hello in welsh"),
        ("sort a dict in Python", "sort a dict in Perl"),
        ("read a file in C", "read a file in C++"),
        ("read a file in C", "read a file in C#"),
        ("translate this to Catalan", "translate this to Basque"),
        ("loop in elixir", "loop in erlang"),
        ("Write it in British English", "Write it in American English"),
        ("print in R", "print in D"),
        ("async in dart", "async in zig"),
        ("Answer in farsi", "Answer in pashto"),
    ),
    "code": (
        ("What does a && b mean?", "What does a || b mean?"),
        ("what is a.b()", "what is a.b"),
        ("git reset --hard", "git reset --soft"),
        ("what does x++ do", "what does ++x do"),
        ("arr[0] in js", "arr[1] in js"),
        ("explain s/a/b/", "explain s/b/a/"),
        ("explain foo_bar", "explain fooBar"),
        ("What is '5' + 5?", "What is 5 + 5?"),
        ('print("a")', "print('a')"),
        ("is !x true", "is x true"),
        ("a<b?", "a>b?"),
        ("sum(x for x in y)", "sum([x for x in y])"),
        ("x == y", "x === y"),
        ("select * from a", "select a from *"),
        ("ls -la", "ls -l a"),
        ("chmod 644 f", "chmod 755 f"),
        ("What does `Let` mean?", "What does `let` mean?"),
        ("explain i = i + 1", "explain i = i - 1"),
    ),
}
TOWNS = ("paris", "london", "rome", "berlin", "madrid", "vienna", "oslo", "lisbon", "dublin", "athens")
OPPOSITES = (
    "enable disable|open close|buy sell|increase decrease|install uninstall|lock unlock|show hide|encrypt decrypt"
)


def subject_pairs() -> Iterator[tuple[str, str, str]]:
    """Those of medicine, law, cooking, travel, money, sports, chemistry, grammar and programming: a line
    of the file each, below its class."""
    kind = ""
    for line in Path(__file__).with_name("adversarial_subjects.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            kind = line[2:]
        else:
            one, other = line.split(" ⇄ ")
            yield one, other, kind


def adversarial_pairs() -> Iterator[tuple[str, str, str]]:
    """The pairs, each with its class."""
    for kind, sentences in SENTENCES.items():
        for sentence, words in sentences:
            for one, other in permutations(words.split("|"), 2):
                yield sentence.format(one), sentence.format(other), kind
    for kind, pairs in PAIRS_OF_A_KIND.items():
        for one, other in pairs:
            yield one, other, kind
            # Code is read to the letter, and so are its pairs.
            yield f"Hello, {other} Thanks!", one if kind == "code" else one.lower(), kind
    for kind, pairs in FORMS.items():
        for one, other in pairs:
            yield one, other, kind
            yield f"Hello, {one} Thanks!", other, kind
            if kind != "code":
                yield one, other.lower(), kind
    for number, (one, other, kind) in enumerate(subject_pairs()):
        yield one, other, kind
        if number % 4 == 0:
            yield f"Hello! {one} Thanks!", other, kind
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
