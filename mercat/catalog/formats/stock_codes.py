"""A gift shop's stock codes with prices in pence: drafts in a shop that does not sell in pounds."""

from mercat.catalog.columns import Columns, Format
from mercat.catalog.messages import TITLE_MAX, ImportRow, ImportVariant


def read(row: Columns) -> ImportRow:
    """Read an item; its description is the title."""
    words = row.title("description").split()
    title = " ".join(word.capitalize() if word.isalpha() else word for word in words)
    return ImportRow(
        external_id=row.external_id("stock_code"),
        title=title[:TITLE_MAX],
        category_path=["Gifts"],
        currency=row.currency("GBP"),
        variants=[ImportVariant(row.minor("price_pence_median"))],
    )


FORMAT = Format("stock codes", lambda raw: "stock_code" in raw, read)
