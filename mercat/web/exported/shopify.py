"""Products as Shopify's product CSV: for a shop there, and taken in here again it changes nothing."""

import re
from collections.abc import AsyncIterator
from itertools import zip_longest
from typing import Any

from mercat.catalog import ExportedVariant, Image, given_texts, line_source
from mercat.ids import SellerId
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.exported.products import (
    TakenOut,
    attribute_cell,
    list_cell,
    name_of,
    path_cell,
    sale_cells,
    sku_of,
    taken_out,
)
from mercat.web.table_query import csv_lines

_OPTIONS = 3
_NO_KEY = re.compile(r"[^a-z0-9]+")
_OF_PRODUCT = ["Title", "Body (HTML)", "Vendor", "Type", "Tags", "Published"]
_OF_VARIANT = [
    "Variant SKU",
    "Variant Grams",
    "Variant Inventory Tracker",
    "Variant Inventory Qty",
    "Variant Inventory Policy",
    "Variant Fulfillment Service",
    "Variant Price",
    "Variant Compare At Price",
    "Variant Requires Shipping",
    "Variant Taxable",
    "Variant Barcode",
]
_OF_SALE = ["Mercat Sale Price", "Mercat Sale From", "Mercat Sale Until"]
"""Shopify has no sale that begins or ends by itself: it leaves these out."""
_OF_PICTURE = ["Image Src", "Image Position", "Image Alt Text"]


async def table(shop: Shop, seller_id: SellerId | None) -> AsyncIterator[bytes]:
    """Write products as CSV: rows of one handle, the first with what is of the whole product. Where they are
    everybody's, each row names its seller."""
    names = await shop.catalog.exported_names(seller_id)
    options = max(_OPTIONS, names.most_options)
    attributes = [each for each in names.attributes if each == each.strip() and each.isprintable()]
    fields = [f"{name} (product.metafields.custom.{_key(name)})" for name in attributes]
    chosen = [f"Option{n} {what}" for n in range(1, options + 1) for what in ("Name", "Value")]
    head = ["Handle", *_OF_PRODUCT, *chosen, *_OF_VARIANT, *_OF_PICTURE]
    head += ["Gift Card", "SEO Title", "SEO Description", *fields]
    head += ["Variant Image", "Variant Weight Unit", "Variant Tax Code", "Status", "Mercat Status", *_OF_SALE]
    head += [] if seller_id is not None else ["Mercat Seller"]
    rows = (
        row if seller_id is not None else [*row, product.product.seller_name]
        async for product in taken_out(shop, seller_id)
        for row in _rows(product, options, attributes, shop.settings)
    )
    async for lines in csv_lines(head, rows):
        yield lines


def _key(name: str) -> str:
    return _NO_KEY.sub("_", name.lower()).strip("_") or "detail"


def _rows(out: TakenOut, options: int, attributes: list[str], settings: Any) -> list[list[Any]]:
    product, link = out.product, settings.link("")
    active = any(each.status == "active" for each in product.variants)
    rows: list[list[Any]] = []
    pictures = [*enumerate(product.images, 1)]
    for n, (variant, picture) in enumerate(zip_longest(product.variants, pictures)):
        head = not n
        own = [
            line_source(product.title),
            given_texts(product)["description"],
            line_source(product.brand or ""),
            path_cell(product.category_path),
            list_cell(product.tags),
            "TRUE" if active else "FALSE",
        ]
        details = [attribute_cell(product, name) for name in attributes]
        rows.append(
            [
                name_of(product),
                *(own if head else [""] * len(own)),
                *_choices([*product.options], variant, options, head=head),
                *_variant(out, variant, settings.currency),
                *_picture(picture, link),
                "FALSE" if head else "",
                line_source(product.seo_title) if head else "",
                line_source(product.seo_description) if head else "",
                *(details if head else [""] * len(details)),
                rendering.absolute(variant.images[0].url, link) if variant and variant.images else "",
                "g" if variant else "",
                product.tax_class or "" if head else "",
                ("active" if active else "draft") if head else "",
                _own_status(variant, active=active),
                *_own_sale(variant, settings.currency),
            ]
        )
    return rows


def _own_status(variant: ExportedVariant | None, *, active: bool) -> str:
    """Say the status of a variant that its product's does not say."""
    if variant is None or variant.status == ("active" if active else "draft"):
        return ""
    return variant.status


def _own_sale(variant: ExportedVariant | None, currency: str) -> list[str]:
    """Write a sale, where the price that it reduces is written."""
    if variant is None or variant.currency != currency:
        return [""] * len(_OF_SALE)
    return sale_cells(variant)


def _choices(names: list[str], variant: ExportedVariant | None, most: int, *, head: bool) -> list[str]:
    if variant is None:
        return [""] * most * 2
    if not names:
        return ["Title" if head else "", "Default Title", *[""] * (most - 1) * 2]
    cells: list[str] = []
    for n in range(most):
        name = names[n] if n < len(names) else ""
        cells += [line_source(name) if head else "", line_source(variant.options.get(name, ""))]
    return cells


def _variant(out: TakenOut, variant: ExportedVariant | None, currency: str) -> list[Any]:
    """Write the cells of a variant. A price in another currency than the shop's is none there."""
    if variant is None:
        return [""] * len(_OF_VARIANT)
    own = variant.currency == currency
    was = variant.compare_at_price if own else None
    return [
        sku_of(variant),
        variant.weight_g or "",
        "shopify",
        out.units[variant.offer_id],
        "deny",
        "manual",
        rendering.decimal(variant.price if own else 0, currency),
        rendering.decimal(was, currency) if was else "",
        "TRUE",
        "TRUE",
        variant.gtin or "",
    ]


def _picture(picture: tuple[int, Image] | None, link: str) -> list[Any]:
    if picture is None:
        return ["", "", ""]
    place, image = picture
    return [rendering.absolute(image.url, link), place, line_source(image.alt)]
