"""Mercat's own products, as `mercat generate` writes them: with variants, pictures and ratings."""

from mercat.catalog.columns import BadField, Columns, Format, rating_of
from mercat.catalog.messages import (
    EXTERNAL_ID_MAX,
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
    images = row.image_list("image_urls")
    return ImportRow(
        external_id=row.external_id("external_id"),
        title=row.title(),
        description=row.description(),
        brand=row.brand(),
        tax_class=row.tax_class(),
        category_path=row.category_path("category_path"),
        currency=row.currency(),
        status=row.status(),
        attributes=row.attributes(),
        tags=row.tags(),
        options=row.choices(),
        variants=variants,
        images=images,
        alts=row.alts("image_alts", images),
        **row.seo("seo_title", "seo_description"),
        rating=rating,
        review_count=count,
        histogram=histogram,
        popularity=row.whole("popularity"),
        released=row.date("released"),
    )


def _variants(row: Columns) -> list[ImportVariant]:
    variants: list[ImportVariant] = []
    for n, each in enumerate(row.objects("variants", VARIANTS_MAX, "variants")):
        try:
            variants.append(
                ImportVariant(
                    each.minor("price"),
                    each.quantity(),
                    each.options(),
                    each.text("sku", EXTERNAL_ID_MAX),
                    each.status() if each.text("status") else None,
                    each.gtin("gtin"),
                    each.minor("compare_at_price") or None,
                    each.grams("weight_g"),
                    each.image_list("image_urls"),
                    each.sale("sale_price", "sale_from", "sale_until"),
                )
            )
        except BadField as error:
            raise BadField(f"variants[{n}].{error.field}", error.reason) from None
        row.cuts += each.cuts
    if len({key_of(variant) for variant in variants}) < len(variants):
        raise BadField("variants", "are not told apart: each needs a sku or options of its own")
    return variants


FORMAT = Format("Mercat products", lambda raw: "external_id" in raw and "variants" in raw, read)
