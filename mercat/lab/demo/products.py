"""Plausible goods without end, in constant memory: the same seed makes the same goods, and a longer run
begins with all of a shorter one.

Categories, brands and values are drawn by Zipf's law, prices from log-normal ones, stars are J-shaped as in
real shops. Titles are told apart by their range ("Aster", later "Aster 2"), counted for each brand and kind.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import product as every_combination
from math import exp, gcd
from random import Random

from msgspec import Struct

from mercat.lab.demo.departments import DEPARTMENTS
from mercat.lab.demo.names import FIRST_NAMES, LAST_NAMES, RANGES, SELLERS
from mercat.lab.demo.pictures import BACKDROPS, COLOURS, POSES, seed_for
from mercat.lab.demo.sampling import SLOTS, ReadyKind, slots_of, zipf
from mercat.lab.demo.templates import Value

TODAY = date(2026, 11, 1)
"""The demo's last day: nothing in it depends on when it is made."""
VARIANTS_MAX = 6

_DAYS = [(TODAY - timedelta(days=days)).isoformat() for days in range(3 * 365)]
_TINTS = {name: index for index, name in enumerate(COLOURS)}
_PLAIN = "Sand"  # what a thing without a colour of its own is drawn in
_EXTRAS = 0.1
# How stars fall, from one to five; the first are the commonest.
_SHAPES = (
    (0.05, 0.03, 0.06, 0.19, 0.67),
    (0.02, 0.02, 0.05, 0.21, 0.70),
    (0.08, 0.05, 0.10, 0.24, 0.53),
    (0.01, 0.01, 0.04, 0.14, 0.80),
    (0.13, 0.08, 0.12, 0.22, 0.45),
    (0.26, 0.11, 0.13, 0.17, 0.33),
)
# "a" where "an" belongs; not before "one", nor before the "us" of USB.
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiAEI]|[oO](?!ne\b)|[uU](?![sS]))")


class VariantRow(Struct, omit_defaults=True):
    options: dict[str, str]
    price: int
    quantity: int
    sku: str
    image_urls: list[str] = []
    """Its picture in its own colour, where the product comes in several."""


class ProductRow(Struct):
    external_id: str
    title: str
    description: str
    brand: str
    category_path: list[str]
    price: int
    currency: str
    attributes: dict[str, Value]
    tags: list[str]
    options: dict[str, list[str]]
    variants: list[VariantRow]
    """At least one; the first is the default one, and `price` is its price."""
    image_urls: list[str]
    rating_histogram: list[int]
    released: str
    seller: int
    """Which of `SELLERS`."""
    popularity: int


class _Choice(Struct):
    """What was drawn for the attributes of one product; `lifts` are the variants' prices by option, `tints`
    the colours it comes in, `colour` the option that chooses among these."""

    attributes: dict[str, Value]
    options: dict[str, list[str]]
    lifts: list[list[float]]
    tints: list[str]
    colour: str
    units: float


def products(count: int = 2_400, seed: int = 1) -> Iterator[ProductRow]:
    """Make so many products, one at a time."""
    workshop = _Workshop(seed)
    return (workshop.make(number) for number in range(1, count + 1))


class _Workshop:
    """Makes one product after the other; it remembers only how many of each brand and kind there are."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        places = [(department, kind) for department in DEPARTMENTS for kind in department.kinds]
        self.kinds = [
            ReadyKind(department, kind, place, department.closes)
            for place, (department, kind) in enumerate(places)
        ]
        # Every department has its commonest kind first.
        order = sorted(range(len(places)), key=lambda place: places[place][0].kinds.index(places[place][1]))
        self.kind_slots = [order[rank] for rank in zipf(len(places), 12.0)]
        self.seller_slots = zipf(len(SELLERS), 1.5)
        self.shape_slots = slots_of([5, 4, 3, 2, 2, 1])
        self.start = self.random.randrange(len(RANGES))

    def make(self, number: int) -> ProductRow:
        rand = self.random.random
        kind, fill, looks = self._thing()
        choice = self._choose(kind, fill)
        title = kind.title.format_map(fill)
        if kind.coloured and "Colour" not in choice.options and rand() < 0.4:
            title = f"{title}, {choice.tints[0]}"
        story = kind.stories[int(rand() * len(kind.stories))].format_map(fill)
        external_id = f"demo-{number:07d}"
        variants = self._variants(external_id, choice)
        tag = int(rand() * (len(kind.tags) - 1))
        histogram = self._histogram()
        images = self._images(external_id, kind.picture, looks, choice.tints)
        if choice.colour:
            own = dict(zip(choice.options[choice.colour], images, strict=False))
            for variant in variants:
                variant.image_urls = [own[variant.options[choice.colour]]]
        return ProductRow(
            external_id,
            title,
            _an(story),
            fill["brand"],
            list(kind.path),
            variants[0].price,
            "USD",
            choice.attributes,
            [fill["noun"], *kind.tags[tag : tag + 2]],
            choice.options,
            variants,
            images,
            histogram,
            _DAYS[int(rand() * len(_DAYS))],
            self.seller_slots[int(rand() * SLOTS)],
            sum(histogram) * 6 + int(rand() * 60),
        )

    def _thing(self) -> tuple[ReadyKind, dict[str, str], list[int]]:
        """Draw of which kind a product is; its brand, noun and name; the patterns that suit it."""
        rand = self.random.random
        kind = self.kinds[self.kind_slots[int(rand() * SLOTS)]]
        maker = kind.brand_slots[int(rand() * SLOTS)]
        what = kind.noun_slots[int(rand() * SLOTS)]
        fill = {"brand": kind.brands[maker]}
        if kind.names:
            fill["model"] = self._name(kind)
            first = FIRST_NAMES[int(rand() * len(FIRST_NAMES))]
            fill["author"] = f"{first} {LAST_NAMES[int(rand() ** 2 * len(LAST_NAMES))]}"
        elif (
            kind.extra and rand() < _EXTRAS and kind.fitted[maker] < kind.made[maker] * len(kind.extra.nouns)
        ):
            place, what = divmod(kind.fitted[maker], len(kind.extra.nouns))
            kind.fitted[maker] += 1
            fill["model"] = self._range(kind, maker, place)
            fill["fits"] = f"{fill['brand']} {fill['model']} {kind.nouns[0][0]}"
            kind = kind.extra
            fill["brand"] = kind.brands[kind.brand_slots[int(rand() * SLOTS)]]
        else:
            fill["model"] = self._range(kind, maker, kind.made[maker])
            kind.made[maker] += 1
        fill["Noun"], fill["noun"], fill["Noun_"] = kind.nouns[what]
        return kind, fill, kind.looks[what]

    def _choose(self, kind: ReadyKind, fill: dict[str, str]) -> _Choice:
        rand = self.random.random
        attributes: dict[str, Value] = {}
        options: dict[str, list[str]] = {}
        lifts: list[list[float]] = []
        tints, colour = [_PLAIN], ""
        fancy = 0.86 + len(fill["brand"]) * 5 % 7 * 0.06
        units = exp(kind.location + kind.spread * self.random.gauss(0, 1)) * fancy
        room = VARIANTS_MAX
        for template in kind.attributes:
            values = template.values
            if template.varies and room > 1 and rand() < template.varies:
                many = 2 + int(rand() * (min(template.most, room, len(values)) - 1))
                room //= many
                first = int(rand() * (len(values) if template.colours else len(values) - many + 1))
                run = [(first + step) % len(values) for step in range(many)]
                options[template.option] = [template.choices[each] for each in run]
                lifts.append([template.factors[each] / template.factors[first] for each in run])
            else:
                first = template.slots[int(rand() * SLOTS)]
                run = [first]
            if template.colours:
                tints = [str(values[each]) for each in run]
                colour = template.option if template.option in options else ""
            if template.label:
                attributes[template.label] = values[first]
            units *= template.factors[first]
            title, sentence, start = template.keys
            fill[title], fill[sentence], fill[start] = template.texts[first]
        return _Choice(attributes, options, lifts, tints, colour, units)

    def _range(self, kind: ReadyKind, maker: int, place: int) -> str:
        """Name the range of a brand's so-manieth thing: each is used once before any comes again."""
        again, word = divmod(place, len(RANGES))
        turn = self.start + word * (maker * 7 + 11) + len(kind.title) * 13 + maker * 31
        name = RANGES[turn % len(RANGES)]
        return f"{name} {again + 1}" if again else name

    def _name(self, kind: ReadyKind) -> str:
        """Make the next proper title, by a walk that passes every pair of words under every pattern once."""
        rest, pattern = divmod(kind.made[0], len(kind.names))
        kind.made[0] += 1
        space = len(kind.first) * len(kind.second)
        volume, rest = divmod(rest, space)
        step = next(step for step in range(space * 5 // 13, space) if gcd(step, space) == 1)
        first, second = divmod((rest * step + self.start + pattern * 17) % space, len(kind.second))
        name = kind.names[pattern].format(a=kind.first[first], b=kind.second[second])
        name = _an(name[0].upper() + name[1:])
        return name + (f", Volume {volume + 1}" if volume else "")

    def _variants(self, external_id: str, choice: _Choice) -> list[VariantRow]:
        rand = self.random.random
        ending = rand()
        off = 1 if ending < 0.7 else 51 if ending < 0.85 else 0
        plenty = rand()
        if not choice.options:
            return [VariantRow({}, _price(choice.units, off), self._quantity(plenty), external_id)]
        variants: list[VariantRow] = []
        for values, lifts in zip(
            every_combination(*choice.options.values()), every_combination(*choice.lifts), strict=True
        ):
            price = choice.units
            for lift in lifts:
                price *= lift
            # Here and there one size is gone.
            quantity = 0 if variants and rand() < 0.06 else self._quantity(plenty)
            sku = f"{external_id}-{len(variants) + 1}"
            options = dict(zip(choice.options, values, strict=True))
            variants.append(VariantRow(options, _price(price, off), quantity, sku))
        return variants

    def _quantity(self, plenty: float) -> int:
        """Draw units in stock: a few are sold out, a few are nearly so."""
        if plenty < 0.03:
            return 0
        if plenty < 0.08:
            return 1 + int(self.random.random() * 4)
        return 5 + int(self.random.random() ** 2 * 240)

    def _histogram(self) -> list[int]:
        rand = self.random.random
        if rand() < 0.1:
            return [0, 0, 0, 0, 0]
        count = exp(2.9 + 1.3 * self.random.gauss(0, 1))
        shape = _SHAPES[self.shape_slots[int(rand() * SLOTS)]]
        return [int(share * count + rand()) for share in shape]

    def _images(
        self, external_id: str, picture: str, looks: Sequence[int], tints: Sequence[str]
    ) -> list[str]:
        """Address the pictures: one a colour, and often a closer look."""
        rand = self.random.random
        where = f"/media/art/{external_id}.svg?k={picture}&s="
        backdrop, pattern = int(rand() * BACKDROPS), looks[int(rand() * len(looks))]
        pose = 1 if rand() < 0.25 else 0
        seeds = [seed_for(_TINTS[tint], backdrop, pose, pattern) for tint in tints]
        if rand() < 0.6:
            seeds.append(seed_for(_TINTS[tints[0]], (backdrop + 3) % BACKDROPS, POSES - 1, pattern))
        return [f"{where}{seed}" for seed in seeds]


def _an(text: str) -> str:
    return _ARTICLE.sub(r"\1n ", text)


def _price(units: float, off: int) -> int:
    """Round to what prices end in: 19.99, 18.49, 20.00; large ones are round."""
    whole = round(units) if units < 250 else round(units / 10) * 10
    return max(whole, 1) * 100 - off
