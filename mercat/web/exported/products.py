"""Products taken out as our own table and as JSON lines: taken in again, both change nothing."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple

from mercat.catalog import (
    ExportedProduct,
    ExportedVariant,
    WholeAttribute,
    given_texts,
    line_source,
    named_by,
)
from mercat.ids import OfferId, ProductId, SellerId
from mercat.kit import codec
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.table_query import csv_lines

_PAGE = 200
_SHELVES = 2_000
_COLUMNS_MAX = 200
"""Attributes with a column of their own; the others stand together in one."""
_NO_LIST = re.compile(r"[,;|\[\n]|://.* |^\s|\s$")
"""What a text between commas could not have; a space only in an address."""
_IN_PATHS = frozenset(">|/\\")


class TakenOut(NamedTuple):
    """A product, and how many units of each offer there are."""

    product: ExportedProduct
    units: dict[OfferId, int]


Cell = Callable[[TakenOut, ExportedVariant], Any]


async def taken_out(shop: Shop, seller_id: SellerId | None) -> AsyncIterator[TakenOut]:
    """Yield products by id with their stock, however many there are."""
    after = ProductId(0)
    while page := await shop.catalog.exported(after, seller_id, _PAGE):
        offers = [each.offer_id for product in page for each in product.variants]
        units: dict[OfferId, int] = {}
        for first in range(0, len(offers), _SHELVES):
            stock = await shop.inventory.stock(offers[first : first + _SHELVES])
            units |= {offer_id: each.on_hand for offer_id, each in stock.items()}
        for product in page:
            yield TakenOut(product, {each.offer_id: units.get(each.offer_id, 0) for each in product.variants})
        after = page[-1].product_id


async def table(shop: Shop, seller_id: SellerId | None) -> AsyncIterator[bytes]:
    """Write products as CSV, a row a variant. What is of the whole product stands in its first row."""
    names = await shop.catalog.exported_names(seller_id)
    columns = [each for each in names.attributes if each == each.strip() and each.isprintable()]
    writer = _Table(shop, columns[:_COLUMNS_MAX], names.options, everybody=seller_id is None)
    rows = (row async for product in taken_out(shop, seller_id) for row in writer.rows(product))
    async for lines in csv_lines(writer.head, rows):
        yield lines


class _Table:
    """The columns of our own table, and the cells of a product in them."""

    def __init__(
        self, shop: Shop, attributes: Sequence[str], options: Sequence[str], *, everybody: bool
    ) -> None:
        self._link = shop.settings.link("")
        self._of_product: dict[str, Callable[[ExportedProduct], Any]] = {
            "title": lambda product: line_source(product.title),
            "description": lambda product: given_texts(product)["description"],
            "brand": lambda product: line_source(product.brand or ""),
            "category": lambda product: path_cell(product.category_path),
            "tags": lambda product: list_cell(product.tags),
            "tax_class": lambda product: product.tax_class or "",
            "image_url": lambda product: list_cell(addresses(product, self._link)),
            "image_alt": alts_cell,
            "seo_title": lambda product: line_source(product.seo_title),
            "seo_description": lambda product: line_source(product.seo_description),
            "attributes": lambda product: self._other_attributes(product),
            "options": lambda product: choices_cell(product, options),
        }
        self._own = frozenset(attributes)
        for name in attributes:
            self._of_product[f"attributes.{name}"] = lambda product, name=name: attribute_cell(product, name)
        self._of_variant: dict[str, Cell] = {
            "sku": lambda out, variant: sku_of(variant),
            **{
                f"option.{name}": lambda out, variant, name=name: line_source(variant.options.get(name, ""))
                for name in options
            },
            "status": lambda out, variant: variant.status,
            "price": lambda out, variant: amount(variant.price, variant.currency),
            "compare_at_price": lambda out, variant: amount(variant.compare_at_price, variant.currency),
            **{
                name: lambda out, variant, n=n: sale_cells(variant)[n]
                for n, name in enumerate(("sale_price", "sale_from", "sale_until"))
            },
            "currency": lambda out, variant: variant.currency,
            "quantity": lambda out, variant: out.units[variant.offer_id],
            "gtin": lambda out, variant: variant.gtin or "",
            "weight_g": lambda out, variant: variant.weight_g or "",
            "variant_image_url": lambda out, variant: list_cell(
                [rendering.absolute(image.url, self._link) for image in variant.images]
            ),
        }
        self._first = ["seller", "external_id"] if everybody else ["external_id"]
        self.head = [*self._first, *self._of_variant, *self._of_product]

    def rows(self, out: TakenOut) -> list[list[Any]]:
        """Write a product: a row for each variant."""
        named = {"seller": out.product.seller_name, "external_id": name_of(out.product)}
        start = [named[each] for each in self._first]
        own = [cell(out.product) for cell in self._of_product.values()]
        none = [""] * len(own)
        return [
            [*start, *(cell(out, variant) for cell in self._of_variant.values()), *(none if n else own)]
            for n, variant in enumerate(out.product.variants)
        ]

    def _other_attributes(self, product: ExportedProduct) -> str:
        others: dict[str, WholeAttribute] = {
            name: line_source(value) if isinstance(value, str) else value
            for name, value in product.attributes.items()
            if name not in self._own
        }
        return codec.text(others) if others else ""


async def objects(shop: Shop, seller_id: SellerId | None) -> AsyncIterator[dict[str, Any]]:
    """Yield products as JSON lines have them, with all that there is to say."""
    link = shop.settings.link("")
    async for out in taken_out(shop, seller_id):
        product = out.product
        shown: dict[str, Any] = {"seller": product.seller_name} if seller_id is None else {}
        yield shown | {
            "external_id": name_of(product),
            "title": line_source(product.title),
            "description": given_texts(product)["description"],
            "brand": product.brand and line_source(product.brand),
            "category_path": product.category_path,
            "currency": product.variants[0].currency,
            "attributes": {
                name: line_source(value) if isinstance(value, str) else value
                for name, value in product.attributes.items()
            },
            "tags": product.tags,
            "tax_class": product.tax_class,
            "options": product.options,
            "variants": [
                {
                    "sku": sku_of(each),
                    "options": each.options,
                    "price": each.price,
                    "compare_at_price": each.compare_at_price,
                    "sale_price": each.sale and each.sale.price,
                    "sale_from": each.sale and each.sale.begins_at,
                    "sale_until": each.sale and each.sale.ends_at,
                    "quantity": out.units[each.offer_id],
                    "status": each.status,
                    "gtin": each.gtin,
                    "weight_g": each.weight_g,
                    "image_urls": [rendering.absolute(image.url, link) for image in each.images],
                }
                for each in product.variants
            ],
            "image_urls": addresses(product, link),
            "image_alts": [line_source(image.alt) for image in product.images],
            "seo_title": line_source(product.seo_title),
            "seo_description": line_source(product.seo_description),
            "rating_histogram": product.histogram,
            "popularity": product.popularity,
            "released": product.created_at,
        }


# -- cells that an import reads back


def name_of(product: ExportedProduct) -> str:
    """Name a product as an import knows it again: by its external id, else by ours."""
    return product.external_id or str(product.product_id)


def sku_of(variant: ExportedVariant) -> str:
    """Name a variant by its SKU, or by what an earlier file called it."""
    key = "" if variant.key == named_by("", variant.options) or variant.key.startswith("~") else variant.key
    return variant.sku or key


def amount(minor: int | None, currency: str) -> str:
    """Write an amount; nothing where there is none."""
    return rendering.decimal(minor, currency) if minor else ""


def sale_cells(variant: ExportedVariant) -> list[str]:
    """Write a sale's price, beginning and end; nothing where there is none."""
    sale = variant.sale
    if sale is None:
        return ["", "", ""]
    times = [time.isoformat() if time else "" for time in (sale.begins_at, sale.ends_at)]
    return [rendering.decimal(sale.price, variant.currency), *times]


def addresses(product: ExportedProduct, link: str) -> list[str]:
    """List the whole addresses of a product's pictures."""
    return [rendering.absolute(image.url, link) for image in product.images]


def alts_cell(product: ExportedProduct) -> str:
    """Write what is said of pictures, where that is more than the title."""
    alts = [image.alt for image in product.images]
    return list_cell([*map(line_source, alts)], always=True) if {*alts} - {product.title, ""} else ""


def choices_cell(product: ExportedProduct, names: Sequence[str]) -> str:
    """Write what can be chosen, where the columns of options and their order do not say it."""
    shown = {name: [each.options.get(name) for each in product.variants] for name in names}
    said = {name: [*dict.fromkeys(filter(None, shown[name]))] for name in names if any(shown[name])}
    same = [*said.items()] == [*product.options.items()]
    return "" if same or not product.options else codec.text(product.options)


def attribute_cell(product: ExportedProduct, name: str) -> str:
    """Write an attribute: a text as it is, a number or a yes-or-no as JSON has it."""
    value = product.attributes.get(name, "")
    return line_source(value) if isinstance(value, str) else codec.text(value)


def list_cell(parts: Sequence[str], *, always: bool = False) -> str:
    """Write texts with commas between them; as a list of JSON where a comma would not do."""
    if always or any(map(_NO_LIST.search, parts)):
        return codec.text(list(parts))
    return ", ".join(parts)


def path_cell(names: Sequence[str]) -> str:
    """Write a category's names from the root; as a list of JSON where they have signs of paths."""
    if any(_IN_PATHS & {*name} for name in names):
        return codec.text(list(names))
    return " > ".join(names)
