"""Units: mixed measures added up, and chains of conversions between made-up or packing units."""

from random import Random

from turnout.demo.tasks.posing import Posed, bare, chain, listing
from turnout.demo.tasks.vocabulary import PEOPLE, THINGS

# plural name and short name of each unit, with its size in the smallest; and what adds up in it
MEASURES = (
    ((("kilometres", "km", 1000), ("metres", "m", 1)), "hike"),
    ((("metres", "m", 100), ("centimetres", "cm", 1)), "cable"),
    ((("hours", "h", 60), ("minutes", "min", 1)), "journey"),
    ((("minutes", "min", 60), ("seconds", "s", 1)), "recording"),
    ((("kilograms", "kg", 1000), ("grams", "g", 1)), "parcel"),
    ((("litres", "l", 1000), ("millilitres", "ml", 1)), "mixture"),
)
PACKING = (
    "ship", "train", "truck", "pallet", "crate", "chest", "box", "carton", "case", "drawer", "packet", "pouch",
    "bundle", "bag",
)  # fmt: skip
SYLLABLES = ("bor", "dal", "fen", "gim", "hul", "jat", "kep", "lom", "mip", "nar", "pod", "quil", "rem", "sut", "tob")


def pose(steps: int, rng: Random) -> Posed:
    """`steps` conversions; the answer is a whole number of the unit asked for."""
    return rng.choice((_measures, _chained, _chained))(steps, rng)


def _measures(steps: int, rng: Random) -> Posed:
    units, whole = rng.choice(MEASURES)
    target = units[-1][0]
    legs = []
    for leg in range(steps):
        name, short, size = units[0] if leg == 0 else rng.choice(units)
        legs.append((rng.randint(2, 9) if size > 1 else rng.randint(3, 60), name, short, size))
    long = [f"{count} {name}" for count, name, _, _ in legs]
    short_legs = [f"{count} {short}" for count, _, short, _ in legs]
    return Posed(
        answer=str(sum(count * size for count, _, _, size in legs)),
        tellings=(
            f"How many {target} are {listing(long)}{' together' if steps > 1 else ''}?",
            f"{rng.choice(PEOPLE)}'s {whole} is made of {chain(long, rng)}. How many {target} is that?",
            f"In a {whole} there are {listing(long)} to count. How many {target} does that make?",
            f"{' + '.join(short_legs)}: how many {target}?",
            f"{whole.capitalize()}: {bare(short_legs, rng)}. How many {target}?",
        ),
    )


def _chained(steps: int, rng: Random) -> Posed:
    packing = rng.random() < 0.5
    spare = rng.random() < 0.3
    names = _packing(steps + 1, rng) if packing else _invented(steps + 1 + spare, rng)
    ratios = [rng.randint(2, 3 if steps > 7 else 4 if steps > 4 else 9) for _ in names[1:]]
    count = rng.randint(2, 9)
    total = count
    for ratio in ratios[:steps]:
        total *= ratio
    links = [(big, ratio, small) for big, ratio, small in zip(names, ratios, names[1:], strict=False)]
    if rng.random() < 0.5:
        rng.shuffle(links)
    verb = rng.choice(("holds", "contains")) if packing else rng.choice(("is", "equals", "makes"))
    long = [f"one {big} {verb} {ratio} {plural(small)}" for big, ratio, small in links]
    short = [f"1 {big} = {ratio} {plural(small)}" for big, ratio, small in links]
    asked, given = plural(names[steps]), f"{count} {plural(names[0])}"
    opening = long[0][0].upper() + long[0][1:]
    return Posed(
        answer=str(total),
        tellings=(
            f"{opening}{''.join(f', {link}' for link in long[1:])}. How many {asked} are in {given}?",
            f"{'. '.join(link[0].upper() + link[1:] for link in long)}. How many {asked} do {given} make?",
            f"{bare(short, rng)}. How many {asked} in {given}?",
            f"If {listing(long)}, how many {asked} are there in {given}?",
        ),
    )


def plural(name: str) -> str:
    """The plural of a unit's name; a name that is one already stays as it is."""
    if name.endswith(("x", "ch")):
        return name + "es"
    return name if name.endswith("s") else name + "s"


def _packing(count: int, rng: Random) -> list[str]:
    picked = sorted(rng.sample(range(len(PACKING)), count - 1))
    return [PACKING[place] for place in picked] + [rng.choice(THINGS)]


def _invented(count: int, rng: Random) -> list[str]:
    names: list[str] = []
    while len(names) < count:
        name = rng.choice(SYLLABLES) + rng.choice(("", "", "ak", "in", "ot"))
        if name not in names:
            names.append(name)
    return names
