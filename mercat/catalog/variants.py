"""The variants of a product: which there are after a change, and what may not be. Decisions without IO."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

from msgspec import UnsetType, structs

from mercat import ids
from mercat.catalog.messages import (
    VARIANTS_MAX,
    GivenVariant,
    Image,
    ListedVariant,
    ListingStatus,
    SkuTaken,
    Status,
)
from mercat.catalog.rules import (
    GTIN_DIGITS,
    check_for_sale,
    check_quantity_rules,
    check_reduction,
    gtin_digits,
    named_by,
    standing_sale,
)
from mercat.ids import OfferId, SkuId
from mercat.kit import clock
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.text import as_seen

_STATES: tuple[ListingStatus, ...] = ("active", "paused", "draft", "archived")


class PlannedVariant(NamedTuple):
    """A variant as it will be, and how many of it there are now where its seller says so."""

    variant: ListedVariant
    is_new: bool
    quantity: int | None


class Selling(NamedTuple):
    """How a product is sold and shown: the status that its offers get (None: each keeps its own), the shop's
    currency, and the one of new prices."""

    status: Status | None
    shop_currency: str
    currency: str
    title: str
    alts: Mapping[str, str]
    """Of pictures, by their addresses."""


def planned(
    standing: Sequence[ListedVariant], given: Sequence[GivenVariant], selling: Selling, at: str
) -> list[PlannedVariant]:
    """Match what is given with what stands; those that stand and are not given will be none.

    `at`: where the given ones stand in the request; `/variants`, or nothing where the product itself is the
    one there is. Raises Invalid, NotFound or SkuTaken with a pointer."""
    found = [
        _planned(before, each, selling, f"{at}/{n}" if at else "")
        for n, (before, each) in enumerate(zip(matched(standing, given, at), given, strict=True))
    ]
    _check_apart([each.variant for each in found], at)
    return found


def combined(
    standing: Sequence[ListedVariant], options: Mapping[str, Sequence[str]], new: GivenVariant | None
) -> list[GivenVariant]:
    """Say which variants there are of options: those that stand, and where `new` says how, the combinations
    that are missing, in the order of the values.

    What stands keeps its values, and has the first one of an option that is new. One with a value that is no
    more goes, and so does one that would be the same as another. Raises Invalid beyond VARIANTS_MAX."""
    count = prod(len(values) for values in options.values())
    if count > VARIANTS_MAX and new is not None:
        words = f"At most {VARIANTS_MAX:,} variants; these options make {count:,}."
        raise Invalid(words, pointer="/options")
    kept: dict[tuple[str, ...], GivenVariant] = {}
    for each in standing:
        values = tuple(each.options.get(name, choices[0]) for name, choices in options.items())
        if all(value in choices for value, choices in zip(values, options.values(), strict=True)):
            chosen = dict(zip(options, values, strict=True))
            kept.setdefault(values, GivenVariant(sku_id=each.sku_id, options=chosen))
    places = [{value: n for n, value in enumerate(values)} for values in options.values()]
    if new is not None:
        for values in product(*options.values()):
            if values not in kept:
                kept[values] = structs.replace(new, options=dict(zip(options, values, strict=True)))

    def place(values: tuple[str, ...]) -> list[int]:
        return [at[value] for at, value in zip(places, values, strict=True)]

    return [kept[values] for values in sorted(kept, key=place)]


def matched(
    standing: Sequence[ListedVariant], given: Sequence[GivenVariant], at: str = "/variants"
) -> list[ListedVariant | None]:
    """Find for each given variant the one that stands: by its id, else its SKU, else its options."""
    left = {each.sku_id: each for each in standing}
    by_sku = {each.sku: each.sku_id for each in standing if each.sku}
    by_options = {frozenset(each.options.items()): each.sku_id for each in standing}
    found: list[ListedVariant | None] = []
    for n, each in enumerate(given):
        if each.sku_id is not None and each.sku_id not in left:
            raise NotFound("This product has no such variant.", pointer=f"{at}/{n}/sku_id")
        sku = each.sku if isinstance(each.sku, str) else ""
        options = {} if isinstance(each.options, UnsetType) else each.options
        there = (each.sku_id, by_sku.get(sku), by_options.get(frozenset(options.items())))
        sku_id = next((each for each in there if each in left), None)
        found.append(None if sku_id is None else left.pop(sku_id))
    return found


def _planned(before: ListedVariant | None, given: GivenVariant, selling: Selling, at: str) -> PlannedVariant:
    said: dict[str, Any] = {
        name: value for name, value in structs.asdict(given).items() if not isinstance(value, UnsetType)
    }
    del said["sku_id"]
    quantity: int | None = said.pop("quantity", None)
    if "images" in said:
        said["images"] = [Image(url, selling.alts.get(url) or selling.title) for url in said["images"]]
    if said.get("gtin") is not None:
        said["gtin"] = gtin_of(said["gtin"], f"{at}/gtin")
    if "price" in said:
        said["currency"] = selling.currency
    if before is None:
        if "price" not in said:
            raise Invalid("A variant needs a price.", pointer=f"{at}/price")
        before = _NONE
        said |= {"sku_id": ids.new(SkuId), "offer_id": ids.new(OfferId), "status": selling.status or "active"}
    elif selling.status is not None:
        said["status"] = selling.status
    variant = structs.replace(before, **said)
    check_for_sale(variant.status, variant.price, variant.currency, selling.shop_currency, at)
    if "price" in said and "sale" not in said:
        variant = structs.replace(variant, sale=standing_sale(variant.price, variant.sale, clock.now()))
    if "quantity_rules" in said:
        check_quantity_rules(variant.quantity_rules, at)
    if {"price", "compare_at_price", "sale"} & said.keys():
        check_reduction(variant.price, said.get("compare_at_price"), variant.sale, at)
    return PlannedVariant(variant, before is _NONE, quantity)


_NONE = ListedVariant(
    sku_id=SkuId(0),
    offer_id=OfferId(0),
    options={},
    sku=None,
    gtin=None,
    price=0,
    compare_at_price=None,
    currency="",
    status="active",
    weight_g=None,
    images=[],
)


def _check_apart(variants: Sequence[ListedVariant], at: str) -> None:
    """Refuse variants that nobody could tell apart: by the same SKU, or by what is chosen."""
    names = set(variants[0].options)
    seen: set[frozenset[tuple[str, str]]] = set()
    skus: set[str] = set()
    for n, each in enumerate(variants):
        if each.options.keys() != names:
            words = "All variants have the same options: " + (", ".join(sorted(names)) or "none") + "."
            raise Invalid(words, pointer=f"{at}/{n}/options")
        chosen = frozenset((name, as_seen(value)) for name, value in each.options.items())
        if chosen in seen:
            raise Invalid("Another variant has these options.", pointer=f"{at}/{n}/options")
        if each.sku in skus:
            raise SkuTaken("Another variant has this SKU.", pointer=f"{at}/{n}/sku")
        seen.add(chosen)
        if each.sku:
            skus.add(each.sku)


def choices_of(
    variants: Sequence[ListedVariant], given: Mapping[str, Sequence[str]] | None
) -> dict[str, list[str]]:
    """List by each option its values: as given, else as the variants have them. Raises Invalid where one of
    the variants has what was not given."""
    if given is None:
        found: dict[str, list[str]] = {}
        for each in variants:
            for name, value in each.options.items():
                found.setdefault(name, [])
                if value not in found[name]:
                    found[name].append(value)
        return found
    choices = {name: list(dict.fromkeys(values)) for name, values in given.items()}
    known = {name: set(values) for name, values in choices.items()}
    for n, each in enumerate(variants):
        if each.options.keys() != known.keys():
            raise Invalid(
                f"A variant says of each option what it has: {', '.join(known) or 'there is none'}.",
                pointer=f"/variants/{n}/options",
            )
        for name, value in each.options.items():
            if value not in known[name]:
                words = f"“{value}” is none of the values of {name}."
                raise Invalid(words, pointer=f"/variants/{n}/options/{name}")
    return choices


def as_before(options: Mapping[str, list[str]], before: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Keep the order that options and their values had; what is new comes last."""
    names = [*(name for name in before if name in options), *(name for name in options if name not in before)]
    return {
        name: [
            *(value for value in before.get(name, ()) if value in options[name]),
            *(value for value in options[name] if value not in before.get(name, ())),
        ]
        for name in names
    }


def in_order(options: Mapping[str, list[str]], names: Sequence[str]) -> dict[str, list[str]]:
    """Sort options as their lister did; what the database keeps of them has no order."""
    return {name: options[name] for name in [*names, *options] if name in options}


def keys_of(variants: Iterable[ListedVariant]) -> list[str]:
    """Name each variant among those of its product, as an import of the same goods would."""
    return [named_by(each.sku or "", each.options) for each in variants]


def status_of(variants: Iterable[ListedVariant]) -> ListingStatus:
    """Say how a product stands: as the liveliest of its offers."""
    there = {each.status for each in variants}
    for status in _STATES:
        if status in there:
            return status
    return "archived"


def gtin_of(text: str, pointer: str) -> str:
    """Read a GTIN (EAN, UPC, ISBN-13); raise Invalid where its check digit is wrong (GS1, mod 10)."""
    digits = text.replace(" ", "").replace("-", "")
    if len(digits) not in GTIN_DIGITS:
        raise Invalid("A GTIN has 8, 12, 13 or 14 digits.", pointer=pointer)
    if not gtin_digits(text):
        raise Invalid("A digit of this GTIN is wrong: its check digit does not fit.", pointer=pointer)
    return digits
