"""Slugs, fingerprints and what may be for sale: decisions without IO."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b
from itertools import chain, count
from typing import Any, NamedTuple, get_args

from anyascii import anyascii

from mercat.catalog.formatted import entities, formatted, source_of
from mercat.catalog.messages import (
    GivenTexts,
    Image,
    ImportVariant,
    OfferReason,
    OfferStanding,
    ProductTexts,
    Status,
    texts_of,
)
from mercat.ids import OfferId, ProductId
from mercat.kit import codec
from mercat.kit.refusals import Invalid
from mercat.money import MINOR_MAX

UNCATEGORISED = "uncategorised"
PATH_SIGN = "\x1f"
"""Between the names of a path; no name has it."""
_IDEOGRAPH = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
"""A syllable of its own."""
_OTHER = re.compile(r"[^a-z0-9]+")
_SLUG_MAX = 80


def slug_of(name: str) -> str:
    """Make a slug: "Cell Phones & More" is `cell-phones-more`, and a name in any script is transliterated."""
    latin = "".join(f" {anyascii(each)} " if _IDEOGRAPH.match(each) else anyascii(each) for each in name)
    return _OTHER.sub("-", latin.lower()).strip("-")[:_SLUG_MAX].strip("-") or "category"


def name_key(name: str) -> str:
    """Reduce a category's name to what is compared, for every door: composed (NFKC) and case folded, each run
    of white space as one space. Marks stay: "CAFÉ" is "Café", and ペット is not ベッド."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(folded.split())


def path_key(names: Sequence[str]) -> str:
    """Reduce names from the root to what paths are compared by."""
    return PATH_SIGN.join(map(name_key, names))


def free_slug(path: Sequence[str], taken: Collection[str]) -> str:
    """Choose the last name's slug; where another category has it, with its parent's before, and then a
    number."""
    own = slug_of(path[-1])
    parent = slug_of(path[-2]) if len(path) > 1 else own
    tries = chain([own, f"{parent}-{own}"], (f"{parent}-{own}-{n}" for n in count(2)))
    return next(slug for slug in tries if slug not in taken)


def fingerprint(value: object) -> bytes:
    """Hash all that a value says: equal values have the same, so what comes again is known."""
    return blake2b(codec.encode(value), digest_size=16).digest()


def key_of(variant: ImportVariant) -> str:
    """Name a variant among the others of its product, so that the next import finds it again."""
    return named_by(variant.sku, variant.options)


def named_by(sku: str, options: Mapping[str, str]) -> str:
    """Name a variant by its SKU, or by what is chosen where it has none."""
    return sku or "/".join(f"{name}={value}" for name, value in sorted(options.items()))


def kept_texts(given: GivenTexts) -> ProductTexts:
    """Make given texts safe: of a description's HTML what the allow-list has; entities are read."""
    words, html = formatted(given.description)
    safe: dict[str, Any] = {
        "title": entities(given.title) or given.title,
        "description": words,
        "description_html": html,
        "brand": given.brand and (entities(given.brand) or None),
    }
    return ProductTexts(**texts_of(given) | safe)


def given_texts(kept: ProductTexts) -> dict[str, Any]:
    """Map the texts of a product to what their seller would give for them to be as they are."""
    texts = {name: getattr(kept, name) for name in GivenTexts.__struct_fields__}
    return texts | {"description": source_of(kept.description, kept.description_html)}


class RivalOffer(NamedTuple):
    """An offer among those of its variant; `own` is the one that is asked about."""

    offer_id: OfferId
    price: int
    currency: str
    status: str
    in_stock: bool
    condition: str
    own: bool


def standing_of(rivals: Sequence[RivalOffer]) -> OfferStanding:
    """Say why the own offer is featured, or is not; `rivals` are in the order of the rule: what is for sale,
    what can be had, what is new, the price, who offered first."""
    own = next(each for each in rivals if each.own)
    others = [each for each in rivals if not each.own]
    best = rivals[0]
    if own.status != "active":
        return OfferStanding(False, ["not_for_sale"], own.currency)
    if best.own:
        second = others[0] if others else None
        reason: OfferReason = "only_offer" if second is None else _ahead(own, second)
        return OfferStanding(True, [reason], own.currency)
    if own.in_stock != best.in_stock:
        return OfferStanding(False, ["sold_out"], own.currency)
    if (own.condition == "new") != (best.condition == "new"):
        return OfferStanding(False, ["not_new"], own.currency)
    wins = best.price if own.offer_id < best.offer_id else best.price - 1
    later: OfferReason = "later_at_this_price" if own.price == best.price else "price"
    return OfferStanding(False, [later], own.currency, wins if wins > 0 else None)


def _ahead(own: RivalOffer, second: RivalOffer) -> OfferReason:
    if own.in_stock != second.in_stock:
        return "only_in_stock"
    if (own.condition == "new") != (second.condition == "new"):
        return "only_new"
    return "best_price" if own.price < second.price else "first_at_this_price"


def drawn_image(product_id: ProductId, title: str) -> Image:
    """Give what has no picture a drawn one."""
    return Image(f"/media/art/{product_id}.svg", title)


def check_for_sale(status: str, price: int, currency: str, shop_currency: str, at: str = "") -> None:
    """Refuse (Invalid) an offer that cannot stand so: what is active has a price, in the shop's currency.
    `at`: where in the request it stands."""
    if status not in get_args(Status):
        raise Invalid(f"A status is one of {', '.join(get_args(Status))}.", pointer="/status")
    if not 0 <= price <= MINOR_MAX:
        raise Invalid("This price is negative or absurd.", pointer=f"{at}/price")
    if status == "active" and price <= 0:
        raise Invalid("What is for sale needs a price.", pointer=f"{at}/price")
    if status == "active" and currency != shop_currency:
        raise Invalid(
            f"This shop sells in {shop_currency}. Offers in {currency} stay drafts.", pointer="/currency"
        )
