"""Books with ratings and without prices, such as Goodbooks: they come as drafts."""

from mercat.catalog.columns import BadField, Columns, Format, rating_of
from mercat.catalog.messages import ATTRIBUTE_TEXT_MAX, BRAND_MAX, TAG_MAX, ImportRow, ImportVariant

_AUTHORS_MAX = 50
_AUTHOR_TAGS = 5


def read(row: Columns) -> ImportRow:
    """Read a book: the first author stands as its brand, the first five as tags. Its ISBN is its GTIN."""
    authors = row.texts("authors", min(BRAND_MAX, TAG_MAX), _AUTHORS_MAX)
    histogram = row.histogram("ratings_hist")
    rating, count = rating_of(histogram)
    names = ", ".join(authors)
    facts: dict[str, str | int | float | bool] = {"authors": names[:ATTRIBUTE_TEXT_MAX]} if authors else {}
    for field in ("isbn13", "language"):
        if text := row.text(field, 50):
            facts[field] = text
    if row.get("year"):
        facts["year"] = _year(row)
    return ImportRow(
        external_id=row.external_id("id"),
        title=row.title(),
        description=f"By {names}." if authors else "",
        brand=authors[0] if authors else None,
        category_path=["Books"],
        attributes=facts,
        variants=[ImportVariant(gtin=row.gtin("isbn13"))],
        tags=authors[:_AUTHOR_TAGS],
        images=row.images("image"),
        rating=rating,
        review_count=count,
        histogram=histogram,
        popularity=row.whole("ratings_count"),
    )


def _year(row: Columns) -> float:
    year = row.raw["year"]
    if isinstance(year, bool) or not isinstance(year, int | float) or not -5_000 <= year <= 9_000:
        raise BadField("year", "is not a year")
    return year


FORMAT = Format("books", lambda raw: "ratings_hist" in raw, read)
