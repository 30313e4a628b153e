"""Rows of files as an import stages them: whole, or laid over what stands. Decisions without IO."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import replace as replace_row
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from mercat import ids
from mercat.catalog.columns import BadField
from mercat.catalog.messages import TEXTS, Attribute, Image, ImportRow, ImportVariant, texts_of
from mercat.catalog.rules import drawn_image, kept_texts, key_of
from mercat.ids import CategoryId, OfferId, ProductId, SellerId, SkuId
from mercat.kit import clock, codec

_FIELDS = {"category": "category_path"}
_SAID = frozenset({*TEXTS, "category", "attributes", "tags", "images", "currency"})
"""What rows say of a product beside its variants."""


class StandingVariant(Struct, frozen=True):
    key: str
    place: int
    options: dict[str, str] = {}
    sku: str = ""


class KeyedVariant(NamedTuple):
    """A variant with its place in its product and the key that it is known by there."""

    place: int
    key: str
    variant: ImportVariant


@dataclass(frozen=True)
class Row:
    """What a batch says of a product, the product if that is there, and a hash of what is said.

    `places`: where in the batch it is said, by the key of the variant; "" is the product itself."""

    row: ImportRow
    places: dict[str, int]
    product_id: ProductId | None
    content: bytes
    overrules: bool
    same: bool = False
    """It says what was said before."""

    @property
    def place(self) -> int:
        """Where in the batch it is said first."""
        return min(self.places.values())


@dataclass
class Staged:
    """A batch as the temporary tables of an import take it."""

    products: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    offers: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    quantities: dict[int, int] = field(default_factory=dict[int, int])
    """By the id that each offer gets if it is new."""
    counted: dict[int, int] = field(default_factory=dict[int, int])
    """By the same id the units that a file says, where they count for what is there too."""
    rows: dict[int, Row] = field(default_factory=dict[int, Row])
    """By the ids of their products."""

    def places(self, product_id: int, key: str | None = None) -> set[int]:
        """Say where in the batch a product is meant, or one variant of it."""
        row = self.rows.get(product_id)
        if row is None:
            return set()
        return set(row.places.values()) if key is None else {row.places.get(key, row.place)}


class Staging:
    """Stage the rows of a seller one by one. `stock`: the units of a new offer whose row does not say."""

    def __init__(self, seller_id: SellerId, seller_name: str, stock: int) -> None:
        self.staged = Staged()
        self.seller_id = seller_id
        self._seller_name = seller_name
        self._stock = stock

    def add(self, given: Row, category_id: CategoryId, standing: Any = None) -> None:
        """Stage a row; `standing` is its product, where the row says only some of it. BadField refuses it."""
        row = given.row
        if given.product_id is None and row.given is not None and "title" not in row.given:
            raise BadField("title", "is missing, and there is no such product to change")
        variants = variants_over(row, _skus(standing)) if standing is not None else _in_order(row.variants)
        product_id = given.product_id or ids.new(ProductId)
        self.staged.rows[product_id] = given
        columns = (
            _over(row, category_id, standing)
            if standing is not None
            else _whole(row, category_id, product_id)
        )
        self.staged.products.append(
            (
                product_id,
                self.seller_id,
                row.external_id,
                *columns,
                given.content,
                standing["created_at"] if standing is not None else row.released or clock.now(),
                given.product_id is not None,
                given.overrules,
            )
        )
        for each in variants:
            self._offer(given, product_id, each)

    def _offer(self, given: Row, product_id: ProductId, keyed: KeyedVariant) -> None:
        row, variant = given.row, keyed.variant
        offer_id = ids.new(OfferId)
        quantity = self._stock if variant.quantity is None else variant.quantity
        says_status = (row.given is None and variant.price > 0) or (
            row.given is not None and "status" in row.given
        )
        self.staged.offers.append(
            (
                offer_id,
                ids.new(SkuId),
                self.seller_id,
                self._seller_name,
                product_id if given.product_id is not None else None,
                row.external_id,
                keyed.key,
                keyed.place,
                codec.text(variant.options),
                variant.gtin,
                variant.weight_g,
                codec.text([Image(url, row.title) for url in variant.images]),
                variant.price,
                variant.compare_at_price,
                row.currency,
                variant.sku,
                variant.status or (row.status if says_status else None),
                quantity > 0,
                int(quantity > 0),
                row.given is None,
                given.overrules,
            )
        )
        self.staged.quantities[offer_id] = quantity
        if variant.quantity is not None and given.overrules:
            self.staged.counted[offer_id] = variant.quantity


def variants_over(row: ImportRow, skus: list[StandingVariant]) -> list[KeyedVariant]:
    """Say which variants of a product a row is about: those of its keys and SKUs, else the only one. BadField
    where it may be one of several."""
    there = {sku.sku: sku for sku in skus if sku.sku} | {sku.key: sku for sku in skus}
    says = {"price", "quantity", "status"} & (row.given or frozenset())
    if len(row.variants) == 1 and key_of(row.variants[0]) == "" and "" not in there:
        [only] = row.variants
        if not says:
            return []
        if len(skus) > 1 and says != {"status"}:
            raise BadField("sku", f"is missing: the product has {len(skus)} variants")
        return [KeyedVariant(sku.place, sku.key, replace(only, options=sku.options)) for sku in skus]
    if len(row.variants) == len(skus) == 1 and skus[0].key == "" and not row.variants[0].options:
        return [KeyedVariant(skus[0].place, "", row.variants[0])]
    after = max((sku.place for sku in skus), default=-1) + 1
    found: list[KeyedVariant] = []
    for n, variant in enumerate(row.variants):
        standing = there.get(key_of(variant))
        if standing is None:
            found.append(KeyedVariant(after + n, key_of(variant), variant))
        else:
            own = replace(variant, options=variant.options or standing.options)
            found.append(KeyedVariant(standing.place, standing.key, own))
    return found


def together(first: Row, second: Row) -> Row:
    """Make one of two rows that are about the same product: rows of its variants, or the same once more."""
    places = first.places | second.places
    if first.row.given is None or second.row.given is None:
        return replace_row(second, places=places)
    variants = {key_of(each): each for row in (first.row, second.row) for each in _own(row)}
    given = (first.row.given or frozenset()) | (second.row.given or frozenset())
    names = [_FIELDS.get(name, name) for name in second.row.given or () if name in _SAID]
    said: dict[str, Any] = {name: getattr(second.row, name) for name in names}
    row = replace(first.row, given=given - {"status"}, variants=list(variants.values()), **said)
    return Row(row, places, first.product_id, second.content, overrules=True)


def _own(row: ImportRow) -> list[ImportVariant]:
    says = row.given is None or "status" in row.given
    return [replace(each, status=each.status or (row.status if says else None)) for each in row.variants]


def _in_order(variants: list[ImportVariant]) -> list[KeyedVariant]:
    return [KeyedVariant(place, key_of(variant), variant) for place, variant in enumerate(variants)]


def _skus(standing: Any) -> list[StandingVariant]:
    return codec.decode(standing["skus"], list[StandingVariant]) if standing["skus"] else []


def _whole(row: ImportRow, category_id: CategoryId, product_id: ProductId) -> tuple[Any, ...]:
    """Make the columns of a product that a row says all of."""
    texts = kept_texts(row)
    images = [Image(url, texts.title) for url in row.images] or [drawn_image(product_id, texts.title)]
    return (
        *texts_of(texts).values(),
        category_id,
        codec.text(row.attributes),
        codec.text(row.options),
        row.tags,
        codec.text(images),
        row.rating,
        row.review_count,
        row.histogram,
        row.popularity,
    )


def _over(row: ImportRow, category_id: CategoryId, standing: Any) -> tuple[Any, ...]:
    """Make the columns of a product that a row says some of: the others stay as they are."""
    given = row.given or frozenset[str]()
    said = given | ({"description_html"} if "description" in given else set[str]())
    kept = texts_of(kept_texts(row))
    texts = {name: kept[name] if name in said else standing[name] for name in TEXTS}
    attributes = codec.decode(standing["attributes"], dict[str, Attribute])
    options = codec.decode(standing["options"], dict[str, list[str]])
    for name, values in row.options.items():
        options[name] = list(dict.fromkeys([*options.get(name, []), *values]))
    images = codec.decode(standing["images"], list[Image])
    if "images" in given and row.images != [image.source or image.url for image in images]:
        images = [Image(url, texts["title"]) for url in row.images]
    return (
        *texts.values(),
        category_id if "category" in given else standing["category_id"],
        codec.text(attributes | row.attributes if "attributes" in given else attributes),
        codec.text(options),
        row.tags if "tags" in given else standing["tags"],
        codec.text(images),
        standing["rating"],
        standing["review_count"],
        standing["histogram"],
        standing["popularity"],
    )


def known_name(row: ImportRow) -> tuple[str, str]:
    """Say by what a row's product is known: its external id, our own id, or a SKU."""
    if not row.external_id:
        return "sku", row.variants[0].sku
    try:
        return "product", str(int(ids.parse(ProductId, row.external_id)))
    except ValueError:
        return "external", row.external_id


def products_by_name(
    rows: list[Mapping[str, Any]],
) -> dict[tuple[str, str], tuple[ProductId, bytes | None]]:
    """Map what rows call products to them; of two with one SKU the newer stands."""
    found: dict[tuple[str, str], tuple[ProductId, bytes | None]] = {}
    for row in rows:
        found.setdefault((row["kind"], row["named"]), (ProductId(row["product_id"]), row["content"]))
    return found
