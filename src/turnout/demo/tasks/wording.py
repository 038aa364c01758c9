"""The talk around a task: what people say before and after a question, none of which bears on the answer.

How much of it a prompt gets is drawn apart from the task, so that a prompt's length says nothing about its steps.
Some of it holds numbers, days and the words that tasks are made of.
"""

from random import Random

from turnout.demo.tasks.vocabulary import PEOPLE, PLACES

GREETINGS = (
    "Hi!", "Hello there, I hope you can help me.", "Good morning.", "Hey, quick one.", "I have a question for you.",
    "Sorry to bother you again.", "Good evening!", "Hello again.", "Quick question.", "Hey there.",
)  # fmt: skip

BEFORE = (
    "{name} sent me this and I am not sure about it.",
    "My {kin} asked me this over dinner and nobody at the table could agree.",
    "This comes from a worksheet that my {kin} brought home from school.",
    "We are preparing a small quiz for the {place} and this is one of the questions.",
    "I am checking my own work, so please do it without looking at what I wrote.",
    "I found this scribbled on a note in the {place}.",
    "There is a bet between {name} and me about this one and the loser has to cook.",
    "I used to be good at this sort of thing but it has been a while.",
    "Our teacher likes to open the lesson with something like this.",
    "I am writing a little app for the {place} and need a known result to test it with.",
    "It has been a long day and my head no longer works.",
    "My colleague says it is obvious, which does not help me at all.",
    "I read this on a poster in the {place} on {weekday}.",
    "Here is question {n} from the sheet.",
    "I have been staring at this for {n} minutes.",
    "Please read it twice because the last tool I asked got it wrong.",
    "The background does not matter much but I will tell you anyway since it may make you smile.",
    "Every {weekday} a few of us meet in the {place} and somebody brings a riddle.",
    "{name} and {other} have been arguing about this since lunch.",
    "I was told that you are patient with people who are not good at puzzles.",
    "Imagine you are explaining it to somebody who has never seen such a thing.",
    "This is for a newsletter, so it had better be right.",
    "I promised my {kin} an answer by {weekday}.",
    "The {place} is closed today so I have time for puzzles and my {kin} keeps sending me new ones.",
    "I typed this on my phone, so forgive the formatting.",
    "If it turns out to be too easy, do not laugh, because I am honestly not sure.",
    "There was a longer story around it with a dragon and a lost ring but I left that out.",
    "My first attempt went wrong somewhere, then I gave up and made tea instead.",
    "We tried it with pen and paper in the {place} and each of us got something else.",
    "On weekends I help out in the {place} and the children there ask such things all the time.",
    "I am not looking for a lecture, only for something I can rely on.",
    "It looks harmless but {n} people have already failed.",
    "The sheet is a bit smudged but I believe I copied it correctly.",
    "Last week I asked something similar and your explanation was very clear so here I am again.",
    "My {kin} collects these and swears that this is the nicest of the lot.",
    "The old man who runs the {place} will not let me leave before I have solved this.",
)

THANKS = (
    "Thanks!", "Thank you in advance.", "Take your time.", "I only need the final answer.", "Many thanks.", "Cheers!",
    "Thank you so much for this.", "Have a nice day!",
)  # fmt: skip

AFTER = (
    "Please end with the answer on a line of its own.",
    "A short explanation would be nice but it is not necessary.",
    "My {kin} will be delighted if you get it right.",
    "If you are unsure please say so and I will ask {name} instead.",
    "I will pass it on to my {kin} who has been waiting for days.",
    "Do not worry about the style, plain words are fine.",
    "Please be careful since we print it in the programme for the {place}.",
    "I have no idea how one would even begin so please walk me through it.",
    "My {kin} says thanks as well.",
    "No tables or pictures please because the old screen in the {place} cannot show them.",
    "We need it before {weekday}.",
    "There are {n} more where that came from but I will spare you those.",
    "You may answer in one line, and then I will compare it with what {name} wrote.",
    "Tell me also if the question is badly put as I am collecting such cases.",
    "I am asking here because the forum has been down since {weekday}.",
    "By the way, the weather here is lovely and I would much rather be outside.",
    "I do hope this is not a trick question, though with my {kin} one never knows.",
    "Keep it friendly if you can because a child of {n} will read it.",
    "I will check it by hand afterwards.",
    "Once I know I can finally close this notebook and go home.",
    "Whatever you say my {kin} is going to want to see how you got there.",
    "Nothing depends on it except perhaps a little pride.",
)

KIN = ("daughter", "son", "sister", "brother", "neighbour", "uncle", "niece", "grandmother", "flatmate", "cousin")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def wrapped(core: str, length: int, rng: Random) -> str:
    """The core between remarks, about `length` characters in all; a core as long as that stays alone."""
    greeting = [rng.choice(GREETINGS)] if rng.random() < 0.4 else []
    thanks = [rng.choice(THANKS)] if rng.random() < 0.4 else []
    before: list[str] = []
    after: list[str] = []
    unused = [(text, before) for text in BEFORE] + [(text, after) for text in AFTER]
    rng.shuffle(unused)
    room = length - len(core) - sum(len(text) + 1 for text in greeting + thanks)
    for template, side in unused:
        remark = _filled(template, rng)
        if len(remark) < room:
            side.append(remark)
            room -= len(remark) + 1
    return _joined(greeting + before, core, after + thanks, rng)


def _filled(template: str, rng: Random) -> str:
    name, other = rng.sample(PEOPLE, 2)
    return template.format(
        name=name,
        other=other,
        kin=rng.choice(KIN),
        place=rng.choice(PLACES),
        weekday=rng.choice(DAYS),
        n=rng.randint(3, 19),
    )


def _joined(before: list[str], core: str, after: list[str], rng: Random) -> str:
    gap = rng.choice((" ", " ", "\n\n", "\n"))
    parts = [" ".join(before), core[0].upper() + core[1:], " ".join(after)]
    return gap.join(part for part in parts if part)
