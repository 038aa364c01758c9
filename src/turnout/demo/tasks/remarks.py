"""The remarks around a question, none of which bears on its answer.

How many of them a prompt gets is drawn apart from the problem, so that a prompt's length says nothing about its
steps. Some hold numbers, days and the words that problems are made of.
"""

from random import Random

from turnout.demo.tasks.phrasing import capitalised
from turnout.demo.tasks.vocabulary import PEOPLE, PLACES

GREETINGS = ("Hi!", "Good morning.", "Hey, quick one.", "I have a question for you.", "Hello again.", "Hey there.")
THANKS = ("Thanks!", "Thank you in advance.", "Take your time.", "I only need the final answer.", "Cheers!")
BEFORE = (
    "{name} sent me this and I am not sure about it.",
    "My {kin} asked me this over dinner and nobody at the table could agree.",
    "This comes from a worksheet that my {kin} brought home from school.",
    "We are preparing a small quiz for the {place} and this is one of the questions.",
    "I am checking my own work, so please do it without looking at what I wrote.",
    "I found this scribbled on a note in the {place}.",
    "There is a bet between {name} and me about this one and the loser has to cook.",
    "I used to be good at this sort of thing but it has been a while.",
    "It has been a long day and my head no longer works.",
    "I read this on a poster in the {place} on {weekday}.",
    "Here is question {n} from the sheet.",
    "I have been staring at this for {n} minutes.",
    "Every {weekday} a few of us meet in the {place} and somebody brings a riddle.",
    "{name} and {other} have been arguing about this since lunch.",
    "This is for a newsletter, so it had better be right.",
    "I promised my {kin} an answer by {weekday}.",
    "If it turns out to be too easy, do not laugh, because I am honestly not sure.",
    "My first attempt went wrong somewhere, then I gave up and made tea instead.",
    "We tried it with pen and paper in the {place} and each of us got something else.",
    "It looks harmless but {n} people have already failed.",
    "The sheet is a bit smudged but I believe I copied it correctly.",
    "My {kin} collects these and swears that this is the nicest of the lot.",
)
AFTER = (
    "Please end with the answer on a line of its own.",
    "A short explanation would be nice but it is not necessary.",
    "If you are unsure please say so and I will ask {name} instead.",
    "I will pass it on to my {kin} who has been waiting for days.",
    "Do not worry about the style, plain words are fine.",
    "Please be careful since we print it in the programme for the {place}.",
    "I have no idea how one would even begin so please walk me through it.",
    "We need it before {weekday}.",
    "There are {n} more where that came from but I will spare you those.",
    "You may answer in one line, and then I will compare it with what {name} wrote.",
    "I do hope this is not a trick question, though with my {kin} one never knows.",
    "Keep it friendly if you can because a child of {n} will read it.",
    "Once I know I can finally close this notebook and go home.",
    "Nothing depends on it except perhaps a little pride.",
)
KIN = ("daughter", "son", "sister", "brother", "neighbour", "uncle", "niece", "grandmother", "flatmate", "cousin")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def with_remarks(question: str, length: int, rng: Random) -> str:
    """The question between remarks, about `length` characters in all; a question as long as that stays alone."""
    before = [rng.choice(GREETINGS)] if rng.random() < 0.4 else []
    after = [rng.choice(THANKS)] if rng.random() < 0.4 else []
    room = length - len(question) - sum(len(text) + 1 for text in before + after)
    remarks = [(template, True) for template in BEFORE] + [(template, False) for template in AFTER]
    rng.shuffle(remarks)
    for template, goes_before in remarks:
        remark = _filled(template, rng)
        if len(remark) < room:
            before, after = ([*before, remark], after) if goes_before else (before, [remark, *after])
            room -= len(remark) + 1
    separator = rng.choice((" ", " ", "\n\n", "\n"))
    return separator.join(filter(None, (" ".join(before), capitalised(question), " ".join(after))))


def _filled(template: str, rng: Random) -> str:
    name, other = rng.sample(PEOPLE, 2)
    return template.format(
        name=name,
        other=other,
        kin=rng.choice(KIN),
        place=rng.choice(PLACES),
        weekday=rng.choice(WEEKDAYS),
        n=rng.randint(3, 19),
    )
