"""Plain columns, as docs/import.md names them: what any spreadsheet can be saved as."""

from mercat.catalog.columns import Columns, Format
from mercat.catalog.messages import ImportRow, ImportVariant


def read(row: Columns) -> ImportRow:
    """Read a product with one variant; prices are decimals such as 79.99."""
    currency = row.currency()
    listed = isinstance(row.get("category"), list)
    return ImportRow(
        external_id=row.external_id("external_id"),
        **row.product_texts(),
        category_path=row.category_path("category") if listed else row.paths("category"),
        currency=currency,
        status=row.status(),
        attributes=row.attributes("attributes."),
        tags=row.tags(),
        variants=[ImportVariant(row.decimal("price", currency), row.quantity())],
        images=row.images("image_url", "image"),
    )


FORMAT = Format("plain columns", lambda raw: True, read)
