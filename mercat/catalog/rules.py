"""Slugs, fingerprints and what may be for sale: decisions without IO."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from itertools import chain, count
from typing import Any, NamedTuple, get_args

from anyascii import anyascii
from msgspec import UNSET, UnsetType, structs

from mercat import money
from mercat.catalog.formatted import entities, formatted, source_of
from mercat.catalog.messages import (
    GivenTexts,
    Image,
    ImportVariant,
    Offer,
    OfferReason,
    OfferStanding,
    OfferTerms,
    PriceEdit,
    PriceMove,
    PriceNow,
    ProductOffer,
    ProductTexts,
    QuantityRules,
    SaleEdit,
    SalePrice,
    Status,
    texts_of,
)
from mercat.ids import OfferId, ProductId
from mercat.kit import codec
from mercat.kit.refusals import Invalid, OtherCurrency
from mercat.kit.text import seen_line
from mercat.money import MINOR_MAX

DRAWN = "/media/art/"
"""How the address of a picture begins that is drawn for what came without."""
UNCATEGORISED = "uncategorised"
PATH_SIGN = "\x1f"
"""Between the names of a path; no name has it."""
_KEY_MAX = 600
"""Of a variant's name by its options; an index has to hold it, with up to four bytes a character."""
_IDEOGRAPH = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
"""A syllable of its own."""
_OTHER = re.compile(r"[^a-z0-9]+")
_SLUG_MAX = 80
GTIN_DIGITS = (8, 12, 13, 14)


def offer_order(offer: Offer | ProductOffer) -> tuple[bool, bool, int, OfferId]:
    """Return where an offer stands among others of a thing: what is there, new and cheap comes first."""
    return not offer.in_stock, offer.condition != "new", offer.price, offer.offer_id


def slug_of(name: str) -> str:
    """Make a category's slug; one that has no letter in any script is `category`."""
    return latin_slug(name) or "category"


def latin_slug(name: str) -> str:
    """Write a name for an address: "Cell Phones & More" is `cell-phones-more`, and a name in any script is
    transliterated."""
    if not name.isascii():
        name = "".join(f" {anyascii(each)} " if _IDEOGRAPH.match(each) else anyascii(each) for each in name)
    return _OTHER.sub("-", name.lower()).strip("-")[:_SLUG_MAX].strip("-")


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
    if sku:
        return sku
    chosen = "/".join(f"{name}={value}" for name, value in sorted(options.items()))
    if len(chosen) <= _KEY_MAX:
        return chosen
    return f"options={blake2b(chosen.encode(), digest_size=16).hexdigest()}"


def gtin_digits(text: str) -> str:
    """Reduce a GTIN (EAN, UPC, ISBN-13) to its digits; nothing where it is none (GS1, mod 10)."""
    digits = text.replace(" ", "").replace("-", "")
    if len(digits) > max(GTIN_DIGITS):  # as with zeros before it in any number
        digits = digits.lstrip("0").zfill(min(GTIN_DIGITS))
    if len(digits) not in GTIN_DIGITS or not (digits.isascii() and digits.isdigit()):
        return ""
    weighed = sum(int(each) * (3 if n % 2 else 1) for n, each in enumerate(reversed(digits)))
    return "" if weighed % 10 else digits


def kept_texts(given: GivenTexts) -> ProductTexts:
    """Make given texts safe: of a description's HTML what the allow-list has; entities are read."""
    words, html = formatted(given.description)
    safe: dict[str, Any] = {
        "title": entities(given.title) or given.title,
        "description": words,
        "description_html": html,
        "brand": given.brand and (seen_line(entities(given.brand)) or None),
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


def drawn_images(product_id: ProductId, title: str, standing: Sequence[Image] = ()) -> list[Image]:
    """Give what has no picture a drawn one. Those that were drawn before stay: files say nothing of them."""
    drawn = [structs.replace(image, alt=title) for image in standing if image.url.startswith(DRAWN)]
    return drawn or [Image(f"{DRAWN}{product_id}.svg", title)]


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


def priced(price: int, compare_at_price: int | None, sale: SalePrice | None, at: datetime) -> PriceNow:
    """Say what is paid at a time: the sale's price from its beginning on until its end, else the regular one.

    `catalog.price_at` is the same rule in the database; a sale that is no cheaper is none."""
    if sale is None or sale.price >= price:
        return PriceNow(price, _more(compare_at_price, price), None)
    if sale.begins_at is not None and at < sale.begins_at:
        return PriceNow(price, _more(compare_at_price, price), sale.begins_at)
    if sale.ends_at is not None and at >= sale.ends_at:
        return PriceNow(price, _more(compare_at_price, price), None)
    return PriceNow(sale.price, price, sale.ends_at)


def next_flip(price: int, sale: SalePrice | None, at: datetime) -> datetime | None:
    """Say when a sale begins or ends next after a time."""
    return priced(price, None, sale, at).flips_at


def _more(compared: int | None, price: int) -> int | None:
    return compared if compared is not None and compared > price else None


def check_reduction(price: int, compare_at_price: int | None, sale: SalePrice | None, at: str = "") -> None:
    """Refuse (Invalid) a sale that reduces nothing or ends before it begins, and a comparison with less.

    `at`: where in the request it stands."""
    if compare_at_price is not None and compare_at_price < price:
        raise Invalid("What a price is compared with is not below it.", pointer=f"{at}/compare_at_price")
    if sale is None:
        return
    if sale.price <= 0:
        raise Invalid("A sale has a price.", pointer=f"{at}/sale/price")
    if sale.price >= price:
        raise Invalid("A sale's price is below the regular one.", pointer=f"{at}/sale/price")
    if sale.begins_at is not None and sale.ends_at is not None and sale.ends_at <= sale.begins_at:
        raise Invalid("A sale ends after it has begun.", pointer=f"{at}/sale/until")


def standing_sale(price: int, sale: SalePrice | None, at: datetime) -> SalePrice | None:
    """Return the sale that stands beside a new price of which nobody said anything: one that is over goes
    where it would reduce nothing any more."""
    over = sale is not None and sale.ends_at is not None and sale.ends_at <= at
    return None if sale is not None and over and sale.price >= price else sale


def quantity_problem(rules: QuantityRules | None, quantity: int) -> tuple[str, str] | None:
    """Say why a quantity may not be bought: a code and what would do; None where it may."""
    if rules is None:
        return None
    if quantity < rules.first:
        return "below_minimum", f"at least {rules.first:,}"
    if rules.max is not None and quantity > rules.max:
        return "above_maximum", f"at most {rules.max:,}"
    if rules.per_customer is not None and quantity > rules.per_customer:
        return "customer_limit", f"at most {rules.per_customer:,} a customer"
    if rules.step is not None and (quantity - rules.first) % rules.step:
        return "not_in_steps", f"{rules.first:,}, {rules.first + rules.step:,}, and so on by {rules.step:,}"
    return None


def check_quantity_rules(rules: QuantityRules | None, at: str = "") -> None:
    """Refuse (Invalid) rules by which no quantity may be bought; `at`: where in the request they stand."""
    if rules is None:
        return
    if rules.max is not None and rules.max < rules.first:
        raise Invalid("The greatest quantity is not below the least one.", pointer=f"{at}/quantity_rules/max")
    if rules.per_customer is not None and rules.per_customer < rules.first:
        pointer = f"{at}/quantity_rules/per_customer"
        raise Invalid("One customer may buy the least quantity at least once.", pointer=pointer)


def check_currency(title: str, currency: str, shop_currency: str, pointer: str) -> None:
    """Refuse (OtherCurrency) goods that are priced in another currency than the shop sells in."""
    if currency != shop_currency:
        words = f"{title} is priced in {currency}, and this shop sells in {shop_currency}."
        raise OtherCurrency(words, pointer=pointer)


def check_move(move: PriceMove, at: str) -> None:
    """Refuse (Invalid) what does not say one way to an amount; `at`: where in the request it stands."""
    if sum(each is not None for each in (move.percent, move.amount, move.to)) != 1:
        raise Invalid("Say one of percent, amount and to.", pointer=at)


def moved(amount: int, move: PriceMove, currency: str) -> int:
    """Say what an amount becomes; of a percentage half of the smallest unit is rounded up."""
    if move.to is not None:
        return move.to
    if move.amount is not None:
        wanted = amount + move.amount
    else:
        step = money.step(currency)
        dividend, divisor = amount * (10_000 + (move.percent or 0)), 10_000 * step
        wanted = (2 * dividend + divisor) // (2 * divisor) * step
    if wanted > MINOR_MAX:
        raise Invalid("No price is as high as that.")
    return wanted


def ending_so(amount: int, ending: int, currency: str) -> int:
    """Say which amount with this ending is nearest, of two the lower: 12.34 with 0.99 is 11.99, with 9.00 it
    is 9.00. Never nothing."""
    every = 10 ** max(money.exponent(currency), len(str(ending)) if ending else 0)
    below = (amount - ending) // every * every + ending
    nearest = below if amount - below <= below + every - amount else below + every
    return nearest if nearest > 0 else nearest + (1 - nearest + every - 1) // every * every


def edited_price(price: int, edit: PriceEdit, currency: str) -> int:
    """Say what a regular price becomes; where only an ending is given, it is that of the price."""
    wanted = price if edit.price is None else moved(price, edit.price, currency)
    is_reckoned = edit.price is not None or not isinstance(edit.sale, SaleEdit)
    return wanted if edit.ending is None or not is_reckoned else ending_so(wanted, edit.ending, currency)


def edited_terms(before: int, price: int, edit: PriceEdit, currency: str) -> OfferTerms:
    """Say what sale and comparison become beside a new price."""
    compared: int | UnsetType | None = UNSET
    if not isinstance(edit.compare_at_price, UnsetType):
        compared = edit.compare_at_price and moved(before, edit.compare_at_price, currency)
    if isinstance(edit.sale, UnsetType) or edit.sale is None:
        return OfferTerms(compare_at_price=compared, sale=edit.sale)
    amount = moved(price, edit.sale.price, currency)
    if edit.ending is not None:
        amount = ending_so(amount, edit.ending, currency)
    sale = SalePrice(price=amount, begins_at=edit.sale.begins_at, ends_at=edit.sale.ends_at)
    return OfferTerms(compare_at_price=compared, sale=sale)
