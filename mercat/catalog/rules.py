"""Slugs, fingerprints and what may be for sale: decisions without IO."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b
from itertools import chain, count
from typing import Any, get_args

from anyascii import anyascii

from mercat.catalog.formatted import entities, formatted, source_of
from mercat.catalog.messages import GivenTexts, Image, ImportVariant, ProductTexts, Status, texts_of
from mercat.ids import ProductId
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
