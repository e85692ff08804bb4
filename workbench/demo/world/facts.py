"""What exists in the small world, and which combinations are kept away from training.

Keys are language-independent. A *combination* is a pair such as (person, city) or (object, adjective); a stable hash puts 80 % of
the pairs in "train" and 10 % each in "validation" and "test". A text of a split is made only of that split's combinations, so
a held-out fact can be answered only from its context, never from memory. What a story works out or leaves open is not drawn from
pairs: where a carried thing is, who of two is older, where a relative lives, how many are left. An answer to such a question may stand in a
train text, about another story and beside other answers to the same question; the story with its question never does.
"""

from __future__ import annotations

import hashlib
from functools import cache

from .tables import words

SPLITS = ("train", "validation", "test")

WOMEN = words(
    "anna maria olga vera nina irina elena marina sofia polina alina laura sara leila lisa julia victoria diana clara nora eva mina roxana lina tamara amina "
    "zara rosa monica camilla"
)
MEN = words(
    "ivan boris oleg anton igor maxim victor denis roman andrei alexei sergei nikolai mikhail mark thomas david daniel oscar leon karim amir hassan rustam "
    "timur arthur robert simon felix martin emil farid kamran albert"
)
PEOPLE = WOMEN + MEN
PEOPLE_SET = frozenset(PEOPLE)
FEMALE = frozenset(WOMEN)

ANIMALS = words(
    "bear wolf fox rabbit cat dog horse cow goat sheep pig leopard tiger elephant monkey mouse squirrel hedgehog camel donkey duck goose hen owl crow frog "
    "turtle snake deer rooster parrot eagle"
)
ZONES = words("forest garden park yard farm village meadow zoo river lake mountains desert valley island cave")
PLACES = words(
    "kitchen bedroom living_room bathroom garden yard garage office balcony corridor cellar school shop market library hospital park forest station museum "
    "theatre cinema bakery pharmacy village farm beach square stadium castle restaurant cafe hotel bank post_office pool workshop university factory zoo "
    "river lake"
)
# Places one sets out for, and places fit for doing things.
OUTINGS = tuple(p for p in PLACES if p not in words("kitchen bedroom living_room bathroom yard garage balcony corridor cellar"))
SITES = tuple(p for p in PLACES if p not in ("bathroom", "pool"))
# Places where one may leave things.
ROOMS = words("kitchen bedroom living_room bathroom garden yard garage office balcony corridor cellar school library park workshop hotel")
CITIES = words(
    "paris london moscow tehran shiraz rome berlin madrid vienna tabriz isfahan kazan istanbul baku tashkent prague warsaw cairo delhi beijing tokyo boston "
    "athens yerevan dublin samarkand kabul budapest lisbon"
)

LARGE = words("chair mirror picture computer guitar bicycle car boat drum carpet ladder suitcase tent")
SMALL = words(
    "lamp book cup ball box bag pencil pen notebook key knife spoon fork plate bottle umbrella hat jacket shirt dress scarf ring phone violin doll blanket "
    "pillow basket bucket candle flag map letter newspaper stone flower comb rope hammer vase teapot glass coin ticket toy photograph gift camera pot"
)
OBJECTS = SMALL + LARGE
FRUITS = words("apple pear orange lemon egg tomato peach banana cucumber melon watermelon nut candy")
COUNTABLE = (
    words("book cup box pencil pen notebook key spoon fork plate bottle hat flag stone flower candle glass coin ticket toy doll chair car boat") + FRUITS
)
PORTABLE = SMALL + FRUITS

COLOURS = words("red blue green yellow white black brown grey pink orange_colour purple")
QUALITIES = words("big small old new beautiful strange heavy light expensive cheap clean dirty")
ADJECTIVES = COLOURS + QUALITIES
# Qualities that would sound odd with some things.
_PAPER = frozenset(words("map letter newspaper ticket photograph"))
_LIGHT = _PAPER | frozenset(words("pencil pen key comb candle flag flower coin ring"))
_SOFT = frozenset(words("scarf hat shirt dress spoon fork umbrella cup ball rope doll toy"))
_TIMELESS = frozenset(words("stone flower gift candle"))
_ODD: dict[str, frozenset[str]] = {
    "heavy": _LIGHT | _SOFT,
    "light": _LIGHT | {"lamp", "stone", "car", "mirror"},
    "expensive": frozenset({"letter", "stone"}),
    "cheap": frozenset({"letter", "stone", "gift"}),
    "clean": _LIGHT | {"boat", "stone", "gift", "drum"},
    "dirty": _LIGHT | {"gift", "drum"},
    "old": _TIMELESS,
    "new": _TIMELESS,
    "big": frozenset({"ticket", "pen", "coin", "comb", "newspaper"}),
    "small": frozenset({"newspaper", "coin"}),
} | {colour: _PAPER | {"picture"} for colour in COLOURS}

FOODS = words(
    "bread cheese soup rice fish meat tea coffee juice water milk lemonade honey salad pizza cake ice_cream chocolate yogurt grapes jam pasta potatoes dates"
)
DRINKS = frozenset(words("tea coffee juice water milk lemonade"))
MEALS = ("breakfast", "lunch", "dinner")
JOBS = words(
    "doctor teacher engineer cook artist writer driver nurse musician actor farmer pilot singer journalist baker salesperson photographer gardener librarian "
    "lawyer translator hairdresser dentist"
)
TRANSFERS = ("give", "sell", "show")
VERBS = ("buy", "find", "lose", "choose", "bring", "hide")
ACTIVITIES = words("read sing dance play rest work write_letter draw laugh run study sleep have_lunch phone_talk wait")
SPOTS = words("on_table under_table on_shelf on_chair under_bed on_bed in_drawer in_cupboard on_floor on_sofa behind_door behind_curtain under_tree by_window")
TIMES = words("monday tuesday wednesday thursday friday saturday sunday yesterday in_morning in_evening in_summer in_winter in_spring in_autumn")
DAYS = TIMES[:7]
NUMBERS = tuple(str(n) for n in range(1, 21))
AGES = NUMBERS[4:16]
COUNTS = NUMBERS[1:10]

# kin word → (gender it demands of the relative, what the other one is in return: (woman, man)).
KIN: dict[str, tuple[str, tuple[str, str] | None]] = {
    "brother": ("m", ("sister", "brother")),
    "sister": ("f", ("sister", "brother")),
    "father": ("m", ("daughter", "son")),
    "mother": ("f", ("daughter", "son")),
    "son": ("m", ("mother", "father")),
    "daughter": ("f", ("mother", "father")),
    "grandfather": ("m", None),
    "grandmother": ("f", None),
    "uncle": ("m", None),
    "aunt": ("f", None),
    "friend": ("mf", ("friend", "friend")),
    "neighbour": ("mf", ("neighbour", "neighbour")),
}

# The combinations, by name: first members, second members.
COMBINATIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "person-city": (PEOPLE, CITIES),
    "person-place": (PEOPLE, PLACES),
    "person-object": (PEOPLE, OBJECTS + FRUITS),
    "object-adjective": (OBJECTS, ADJECTIVES),
    "object-spot": (PORTABLE, SPOTS),
    "object-count": (COUNTABLE, COUNTS),
    "animal-zone": (ANIMALS, ZONES),
    "person-animal": (PEOPLE, ANIMALS),
    "person-food": (PEOPLE, FOODS),
    "person-age": (PEOPLE, AGES),
    "person-job": (PEOPLE, JOBS),
    "person-time": (PEOPLE, TIMES),
    "person-activity": (PEOPLE, ACTIVITIES),
    "person-person": (PEOPLE, PEOPLE),
}
Pair = tuple[str, str, str]


@cache
def split_of(combination: str, first: str, second: str) -> str:
    """The split a pair belongs to; the same on every machine and in every run."""
    if combination == "person-person":
        first, second = sorted((first, second))  # "X is Y's brother" tells about Y, too
    digest = hashlib.blake2b(f"{combination}:{first}:{second}".encode(), digest_size=4).digest()
    bucket = int.from_bytes(digest, "big") % 10
    return "train" if bucket < 8 else SPLITS[bucket - 7]


def sensible(combination: str, first: str, second: str) -> bool:
    """False for pairs that never occur in any split: nobody is their own sister, and no ticket is heavy."""
    if combination == "person-person":
        return first != second
    return combination != "object-adjective" or first not in _ODD.get(second, ())


@cache
def pairs(combination: str, split: str) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """The pairs of a split, as (second members by first, first members by second)."""
    firsts, seconds = COMBINATIONS[combination]
    kept = [(a, b) for a in firsts for b in seconds if sensible(combination, a, b) and split_of(combination, a, b) == split]
    forward: dict[str, list[str]] = {}
    backward: dict[str, list[str]] = {}
    for a, b in kept:
        forward.setdefault(a, []).append(b)
        backward.setdefault(b, []).append(a)
    return {k: tuple(v) for k, v in forward.items()}, {k: tuple(v) for k, v in backward.items()}
