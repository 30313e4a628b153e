"""Mercat's own products, as `mercat generate` writes them: with variants, pictures and ratings."""

from typing import Any, cast

from mercat.catalog.columns import BadField, Columns, Format, rating_of
from mercat.catalog.formatted import plain_text
from mercat.catalog.messages import (
    EXTERNAL_ID_MAX,
    OPTION_MAX,
    VARIANTS_MAX,
    ImportRow,
    ImportVariant,
)
from mercat.catalog.rules import key_of


def read(row: Columns) -> ImportRow:
    """Read a product with all its variants; prices are minor units."""
    histogram = row.histogram("rating_histogram")
    rating, count = rating_of(histogram)
    variants = _variants(row)
    return ImportRow(
        external_id=row.external_id("external_id"),
        title=row.title(),
        description=row.description(),
        brand=row.brand(),
        category_path=row.category_path("category_path"),
        currency=row.currency(),
        status=row.status(),
        attributes=row.attributes(),
        tags=row.tags(),
        options=_choices(row),
        variants=variants,
        images=row.image_list("image_urls"),
        rating=rating,
        review_count=count,
        histogram=histogram,
        popularity=row.whole("popularity"),
        released=row.date("released"),
    )


def _choices(row: Columns) -> dict[str, list[str]]:
    """Read what can be chosen: by each option's name its values."""
    given: object = row.get("options") or {}
    if not isinstance(given, dict):
        raise BadField("options", "is not an object")
    choices = Columns(cast(dict[str, Any], given))
    found = {
        plain_text(name)[:OPTION_MAX]: choices.texts(name, OPTION_MAX, VARIANTS_MAX) for name in choices.raw
    }
    row.cuts += choices.cuts
    return found


def _variants(row: Columns) -> list[ImportVariant]:
    variants: list[ImportVariant] = []
    for n, each in enumerate(row.objects("variants", VARIANTS_MAX, "variants")):
        try:
            variants.append(
                ImportVariant(
                    each.minor("price"), each.quantity(), each.options(), each.text("sku", EXTERNAL_ID_MAX)
                )
            )
        except BadField as error:
            raise BadField(f"variants[{n}].{error.field}", error.reason) from None
        row.cuts += each.cuts
    if len({key_of(variant) for variant in variants}) < len(variants):
        raise BadField("variants", "are not told apart: each needs a sku or options of its own")
    return variants


FORMAT = Format("Mercat products", lambda raw: "external_id" in raw and "variants" in raw, read)
