"""The names and things the tasks and their stories are about."""

PEOPLE = (
    "Ada", "Amir", "Anna", "Aria", "Ben", "Bianca", "Boris", "Carla", "Chen", "Clara", "Dana", "David",
    "Dora", "Elif", "Emma", "Erik", "Farah", "Felix", "Fiona", "Gita", "Greta", "Hugo", "Ines", "Ivan",
    "Jana", "Jonas", "Kai", "Kemal", "Lara", "Leo", "Lina", "Luis", "Maja", "Marco", "Mei", "Mira", "Nadia",
    "Nils", "Nora", "Omar", "Oscar", "Paula", "Petra", "Quinn", "Rana", "Rosa", "Ruben", "Sana", "Sven",
    "Tara", "Theo", "Uma", "Vera", "Victor", "Wanda", "Yara", "Yusuf", "Zoe",
)  # fmt: skip

THINGS = (
    "apples", "books", "bottles", "bricks", "buttons", "candles", "cards", "chairs", "coins", "crayons",
    "cups", "eggs", "envelopes", "erasers", "folders", "hats", "jars", "keys", "lamps", "lemons", "magnets",
    "marbles", "markers", "melons", "mugs", "notebooks", "onions", "oranges", "pears", "pencils", "pens",
    "plates", "postcards", "pots", "ribbons", "rulers", "scarves", "shells", "spoons", "stamps", "stickers",
    "stones", "tickets", "towels", "toys", "tulips", "whistles",
)  # fmt: skip

PLACES = (
    "attic", "bakery", "barn", "basement", "canteen", "cellar", "classroom", "depot", "garage", "garden",
    "harbour", "kiosk", "kitchen", "library", "market", "museum", "office", "pantry", "playground", "school",
    "shed", "shop", "station", "storeroom", "studio", "workshop",
)  # fmt: skip

WORDS = (
    "anchor", "basket", "beacon", "blanket", "bridge", "cabinet", "candle", "canyon", "carpet", "castle",
    "cherry", "circle", "copper", "corner", "crystal", "dragon", "engine", "falcon", "feather", "filter",
    "flower", "forest", "galaxy", "garden", "ginger", "glacier", "hammer", "harbor", "hunter", "island",
    "jacket", "jungle", "kitten", "ladder", "lantern", "lemon", "magnet", "marble", "meadow", "mirror",
    "monkey", "needle", "orange", "orchid", "parrot", "pebble", "pencil", "pepper", "planet", "pocket",
    "puzzle", "quartz", "rabbit", "ribbon", "rocket", "saddle", "salmon", "shadow", "signal", "silver",
    "spider", "spring", "statue", "summer", "table", "temple", "thunder", "ticket", "tiger", "timber",
    "tunnel", "turtle", "valley", "velvet", "violin", "walnut", "window", "winter", "wizard", "yellow",
    "zephyr",
)  # fmt: skip

COLOURS = (
    "red", "blue", "green", "white", "amber", "violet", "pink", "grey", "black", "brown", "orange", "teal",
    "golden", "silver", "yellow", "crimson", "ivory", "lilac",
)  # fmt: skip

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `4th`, ... for a number below 20."""
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number, 'th') }"
