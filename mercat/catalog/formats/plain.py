"""Plain columns, as docs/import.md names them: what any spreadsheet can be saved as."""

import re

from mercat.catalog.columns import Columns, Format
from mercat.catalog.messages import ImportRow, ImportVariant

_PATH = re.compile(r"[>/|]")


def read(row: Columns) -> ImportRow:
    """Read a product with one variant; prices are decimals such as 79.99."""
    currency = row.currency()
    listed = isinstance(row.raw.get("category"), list)
    names = None if listed else [each.strip() for each in _PATH.split(row.text("category")) if each.strip()]
    return ImportRow(
        external_id=row.external_id("external_id"),
        **row.product_texts(),
        category_path=row.category_path("category", names),
        currency=currency,
        attributes=row.attributes("attributes."),
        tags=row.tags(),
        variants=[ImportVariant(row.decimal("price", currency), row.quantity())],
        images=row.images("image_url", "image"),
    )


FORMAT = Format("plain columns", lambda raw: True, read)
