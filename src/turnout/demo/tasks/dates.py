"""Dates: a day of the week or of the calendar, moved forwards and backwards."""

from datetime import date, timedelta
from random import Random

from turnout.demo.tasks.posing import Posed, bare, chain, sentences
from turnout.demo.tasks.vocabulary import PEOPLE

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
EVENTS = (
    "meeting", "concert", "delivery", "exam", "inspection", "flight", "workshop", "match", "wedding", "audit",
    "rehearsal", "launch", "interview", "picnic", "hearing", "payment", "shipment", "class trip",
)  # fmt: skip


def pose(steps: int, rng: Random) -> Posed:
    """A day moved `steps` times; the answer is a weekday, or a date such as `7 April 2023`."""
    moves = [_move(rng) for _ in range(steps)]
    long = [told for _, told, _ in moves]
    short = [noted for _, _, noted in moves]
    start = date(2019, 1, 1) + timedelta(days=rng.randrange(2500))
    end = start + timedelta(days=sum(days for days, _, _ in moves))
    if rng.random() < 0.5:
        return _told("a " + WEEKDAYS[start.weekday()], WEEKDAYS[end.weekday()], "day of the week", long, short, rng)
    return _told(written(start), written(end), "date", long, short, rng)


def written(day: date) -> str:
    """`7 April 2023`."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _move(rng: Random) -> tuple[int, str, str]:
    """Days moved (negative: back), told in full and in short."""
    weeks = rng.random() < 0.25
    count = rng.randint(1, 6) if weeks else rng.randint(2, 45)
    unit = ("week" if weeks else "day") + ("s" if count > 1 else "")
    days = count * 7 if weeks else count
    if rng.random() < 0.6:
        return days, f"{count} {unit} {rng.choice(('later', 'forward'))}", f"+{count} {unit}"
    return -days, f"{count} {unit} {rng.choice(('earlier', 'back'))}", f"-{count} {unit}"


def _told(start: str, end: str, asked: str, long: list[str], short: list[str], rng: Random) -> Posed:
    event, name = rng.choice(EVENTS), rng.choice(PEOPLE)
    moved = rng.choice(("it moves", "move it", "shift it"))
    return Posed(
        answer=end,
        tellings=(
            f"The {event} was set for {start}. {sentences([f'{moved} {told}' for told in long], rng)} "
            f"Which {asked} is that?",
            f"{name}'s {event} was set for {start} but was moved {chain(long, rng)}. On which {asked} is it now?",
            f"Starting from {start}, which {asked} do we reach if we go {chain(long, rng)}?",
            f"Starting from {start}: {bare(short, rng)}. Which {asked}?",
            f"Starting from {start}, go {bare(long, rng)}. Which {asked} is it?",
        ),
    )
