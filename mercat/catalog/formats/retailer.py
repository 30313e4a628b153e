"""A retailer's products with a category path, such as Best Buy's."""

from mercat.catalog.columns import Columns, Format
from mercat.catalog.messages import ImportRow, ImportVariant


def read(row: Columns) -> ImportRow:
    """Read a product with one variant; prices are minor units."""
    return ImportRow(
        external_id=row.external_id("id"),
        title=row.title(),
        description=row.description(),
        brand=row.brand(),
        category_path=row.category_path("category_path"),
        currency=row.currency(),
        variants=[ImportVariant(row.minor("price_cents"))],
        images=row.images("image"),
        popularity=row.whole("popularity"),
    )


FORMAT = Format("retailer's products", lambda raw: "price_cents" in raw and "category_path" in raw, read)
