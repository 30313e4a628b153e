"""Shopify product CSV: headings before 2025 (`Handle`, `Variant Price`) and since (`URL handle`)."""

from operator import itemgetter

from mercat.catalog.columns import Columns, Format, PriceColumns, choices, keys_of_seller
from mercat.catalog.messages import (
    BRAND_MAX,
    EXTERNAL_ID_MAX,
    IMAGES_MAX,
    OPTION_MAX,
    TITLE_MAX,
    ImportRow,
    ImportVariant,
)

_OPTIONS = 5
"""Shopify itself has three."""
OWN_STATUS = "mercat_status"
"""The column by which an export of this shop tells what Shopify has no word for; sales have such ones too."""
_PATH = "product_category"


def read(row: Columns) -> ImportRow:
    """Read a product: the first row with a title says what it is, each row with a price is a variant.

    A quantity counts only where Shopify tracks it; rows with a picture alone add to the pictures."""
    currency = row.currency()
    head = next((each for each in row.rows if each.text("title")), row)
    names = [head.text(f"option{n}_name", OPTION_MAX) for n in range(1, _OPTIONS + 1)]

    def variant(each: Columns) -> ImportVariant:
        tracked = each.text(each.first("variant_inventory_tracker", "inventory_tracker"))
        quantity = each.stock(each.first("variant_inventory_qty", "inventory_quantity"))
        values = [each.text(f"option{n}_value") for n in range(1, _OPTIONS + 1)]
        chosen = [pair for pair in zip(names, values, strict=True) if pair != ("Title", "Default Title")]
        compared = each.first("variant_compare_at_price", "compare_at_price")
        price = each.first("variant_price", "price")
        prices = PriceColumns(price, "mercat_sale_price", compared, "mercat_sale_from", "mercat_sale_until")
        return ImportVariant(
            quantity=quantity if tracked or quantity else None,
            options=each.option_pairs(chosen),
            sku=each.text(each.first("variant_sku", "sku"), EXTERNAL_ID_MAX).removeprefix("'"),
            status=each.status(OWN_STATUS) if each.text(OWN_STATUS) else None,
            gtin=each.gtin(each.first("variant_barcode", "barcode")),
            weight_g=each.grams(each.first("variant_grams", "weight_value_grams")),
            images=each.images(each.first("variant_image", "variant_image_url")),
            **each.prices(currency, prices),
        )

    priced = [each for each in row.rows if each.text(each.first("variant_price", "price"))]
    variants = row.variants(variant, priced or [head])
    category = head.paths(_PATH) or head.paths("type")
    status = head.status()
    if status == "active" and not head.yes(head.first("published", "published_on_online_store")):
        status = "draft"
    images = _images(row)
    handle = head.external_id(head.first("handle", "url_handle"))
    return ImportRow(
        external_id=handle,
        former_paths=head.former(f"/products/{handle}"),
        **head.seo("seo_title", "seo_description"),
        title=head.title(),
        description=head.description(head.first("body_html", "description")),
        brand=head.text("vendor", BRAND_MAX) or None,
        tax_class=head.tax_class("variant_tax_code", "tax_code"),
        category_path=category,
        currency=currency,
        status=status,
        attributes=_details(head),
        tags=head.tags(),
        options=choices(variants),
        variants=variants,
        images=list(images),
        alts={url: alt for url, alt in images.items() if alt},
    )


def _images(row: Columns) -> dict[str, str]:
    """Read the pictures of a product in their positions, each with its alternative text. Those of variants
    are theirs alone, unless there is no other."""
    found: list[tuple[int, str, str]] = []
    for n, each in enumerate(row.rows):
        place = each.text("image_position")
        alt = each.text("image_alt_text", TITLE_MAX)
        own = each.images(each.first("image_src", "product_image_url"))
        found += [(int(place) if place.isdigit() and len(place) < 6 else n, url, alt) for url in own]
    found.sort(key=itemgetter(0))
    if not found:
        found = [
            (0, url, "") for each in row.rows for url in each.images("variant_image", "variant_image_url")
        ]
    pictures: dict[str, str] = {}
    for _, url, alt in found:
        pictures.setdefault(url, alt)
    return dict(row.few("image_src", list(pictures.items()), IMAGES_MAX))


def _details(head: Columns) -> dict[str, str | int | float | bool]:
    """Read metafields, whose columns are called `Material (product.metafields.custom.material)`."""
    found: list[tuple[str, str]] = []
    for name in head.raw:
        before, metafield, _ = name.partition("_product.metafields.")
        if metafield and (text := head.text(name)):
            found.append((before, text))
    return head.attribute_pairs(found)


FORMAT = Format(
    "Shopify products",
    lambda raw: "url_handle" in raw or ("handle" in raw and ("variant_price" in raw or "body_html" in raw)),
    read,
    lambda raw: keys_of_seller(raw, "handle", "url_handle"),
)
