"""The names and words that the tasks and the remarks around them are about."""

PEOPLE = (
    "Ada", "Amir", "Anna", "Aria", "Ben", "Bianca", "Boris", "Carla", "Chen", "Clara", "Dana", "David",
    "Dora", "Elif", "Emma", "Erik", "Farah", "Felix", "Fiona", "Gita", "Greta", "Hugo", "Ines", "Ivan",
    "Jana", "Jonas", "Kai", "Kemal", "Lara", "Leo", "Lina", "Luis", "Maja", "Marco", "Mei", "Mira", "Nadia",
    "Nils", "Nora", "Omar", "Oscar", "Paula", "Petra", "Quinn", "Rana", "Rosa", "Ruben", "Sana", "Sven",
    "Tara", "Theo", "Uma", "Vera", "Victor", "Wanda", "Yara", "Yusuf", "Zoe",
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

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
