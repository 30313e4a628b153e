"""A product as its seller types it: in a form."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import UNSET, Meta, field

from mercat.catalog import (
    Attribute,
    Attributes,
    CategoryName,
    Description,
    ExternalId,
    GivenTexts,
    Images,
    ImageUrl,
    Listing,
    MinorPrice,
    NewProduct,
    ProductChange,
    Title,
    given_texts,
    texts_of,
)
from mercat.ids import ProductId
from mercat.inventory import StockQuantity
from mercat.web.forms import MONEY, FormErrors, named_lines, read_form

TypedPrice = Annotated[MinorPrice, MONEY]
"""Typed as 12.50, read as 1250."""


class ListingForm(GivenTexts, frozen=True, kw_only=True):
    """What both forms of a product ask for."""

    title: Annotated[Title, Meta(extra={"words": "Say what it is."})]
    description: Annotated[Description, Meta(extra={"words": "Describe it."})]
    category: Annotated[CategoryName, Meta(extra={"words": "Choose a department."})]
    attributes: Attributes = field(default_factory=dict[str, Any])


class NewListingForm(ListingForm, frozen=True, kw_only=True):
    """A product that is put on sale, with so many in stock."""

    price: TypedPrice
    quantity: StockQuantity
    image: Annotated[ImageUrl, Meta(extra={"words": "A picture's address starts with https://."})] | None = (
        None
    )
    external_id: ExternalId | None = None


class EditListingForm(ListingForm, frozen=True, kw_only=True):
    """A product that is changed; `seen` is the mark of the listing that was shown. One that was imported may
    have no description, and may stay so."""

    description: Description = ""
    images: Annotated[Images, Meta(extra={"words": "A picture's address starts with https://."})] = field(
        default_factory=list[str]
    )
    seen: str = ""


def read_new(given: Mapping[str, object], currency: str) -> tuple[NewProduct, int] | FormErrors:
    """Read a product and how many there are, from a form."""
    form = read_form(given, NewListingForm, currency=currency)
    if isinstance(form, FormErrors):
        return form
    product = NewProduct(
        **texts_of(form),
        category=form.category,
        price=form.price,
        currency=currency,
        attributes=dict(form.attributes),
        images=[form.image] if form.image else [],
        external_id=form.external_id,
    )
    return product, form.quantity


def as_form(listing: Listing, product_id: ProductId) -> dict[str, str]:
    """Write what stands as its seller would have typed it."""
    return {
        **{name: value or "" for name, value in given_texts(listing).items()},
        "category": listing.category,
        "attributes": "\n".join(lines_of(listing.attributes)),
        "images": "\n".join(image.url for image in listing.images if image.url != _drawn(product_id)),
    }


def read_change(
    given: Mapping[str, str], listing: Listing, product_id: ProductId
) -> tuple[ProductChange, str] | FormErrors:
    """Read what a form makes of a listing, and the mark of the one that it was made from. What was left as it
    was shown keeps its kind and its line breaks."""
    attributes = attributes_as_kept(given.get("attributes", ""), listing.attributes)
    form = read_form({**given, "attributes": attributes}, EditListingForm)
    if isinstance(form, FormErrors):
        return form
    images = form.images or [_drawn(product_id)]
    return ProductChange(
        **texts_of(form),
        category=form.category,
        attributes=form.attributes,
        images=UNSET if images == [image.url for image in listing.images] else images,
    ), form.seen


def lines_of(attributes: Mapping[str, Attribute]) -> dict[str, str]:
    """Write each detail on a line, and say whose line it is."""
    return {" ".join(f"{name}: {_typed(value)}".split()): name for name, value in attributes.items()}


def attributes_as_kept(lines: str, before: Mapping[str, Attribute]) -> dict[str, Attribute]:
    """Read the details typed; a line that was left as it was shown stays what it was, whatever is in it."""
    shown = lines_of(before)
    kept: dict[str, Attribute] = {}
    for line in lines.splitlines():
        if name := shown.get(" ".join(line.split())):
            kept[name] = before[name]
        else:
            kept |= {name: _as_kind(value, before.get(name)) for name, value in named_lines(line).items()}
    return kept


def _as_kind(typed: str, before: Attribute | None) -> Attribute:
    """Read a detail's value in the kind that it had, where it can be that."""
    if isinstance(before, bool):
        return {"yes": True, "no": False}.get(typed.lower(), typed)
    if isinstance(before, float) and re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,9})?", typed):
        return float(typed)
    return typed


def _typed(value: Attribute) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:.15g}"


def _drawn(product_id: ProductId) -> str:
    return f"/media/art/{product_id}.svg"
