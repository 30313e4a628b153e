"""Products as they are taken out again: page by page, however many there are."""

from typing import Any

import asyncpg
from msgspec import structs

from mercat.catalog.messages import (
    TEXTS,
    ExportedNames,
    ExportedProduct,
    ExportedVariant,
    Image,
    WholeAttribute,
)
from mercat.catalog.rules import DRAWN
from mercat.catalog.variants import in_order
from mercat.ids import ProductId, SellerId
from mercat.kit import codec, sql

queries = sql.load("mercat.catalog")
_NAMES_MAX = 5_000


class Exports:
    """Read products whole, with what their own sellers offer of them."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db

    async def exported(
        self, after: ProductId, seller_id: SellerId | None = None, limit: int = 500
    ) -> list[ExportedProduct]:
        """Answer products by id, a page at a time: everybody's or a seller's, but what is archived."""
        if seller_id is None:
            rows = await self._db.fetch(queries.exported, after, limit)
        else:
            rows = await self._db.fetch(queries.exported_of_seller, seller_id, after, limit)
        return [_exported(row) for row in rows]

    async def exported_names(self, seller_id: SellerId | None = None) -> ExportedNames:
        """Answer which options and attributes products have, the most frequent first."""
        options = await self._db.fetch(queries.option_names_of, seller_id, _NAMES_MAX)
        attributes = await self._db.fetch(queries.attribute_names_of, seller_id, _NAMES_MAX)
        names = [row["name"] for row in options], [row["name"] for row in attributes]
        most = await self._db.fetchval(queries.most_options_of, seller_id) if options else 0
        return ExportedNames(*names, most)


def _exported(row: Any) -> ExportedProduct:
    options = codec.decode(row["options"], dict[str, list[str]])
    images = codec.decode(row["images"], list[Image])
    return ExportedProduct(
        product_id=ProductId(row["product_id"]),
        seller_id=SellerId(row["seller_id"]),
        seller_name=row["seller_name"],
        external_id=row["external_id"],
        **{name: row.get(name) for name in TEXTS},
        category_path=list(row["category_path"]),
        attributes=codec.decode(row["attributes"], dict[str, WholeAttribute]),
        options=in_order(options, row["option_names"]),
        tags=list(row["tags"]),
        images=_given(images),
        histogram=list(row["histogram"]),
        popularity=row["popularity"],
        created_at=row["created_at"],
        variants=[
            structs.replace(variant, images=_given(variant.images))
            for variant in codec.decode(row["variants"], list[ExportedVariant])
        ],
        seo_title=row["seo_title"],
        seo_description=row["seo_description"],
    )


def _given(images: list[Image]) -> list[Image]:
    """Leave out pictures that the shop drew: nobody gave them."""
    return [image for image in images if not image.url.startswith(DRAWN)]
