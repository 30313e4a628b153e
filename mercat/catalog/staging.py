"""Rows of files as an import stages them: whole, or laid over what stands. Decisions without IO."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as replace_row
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from mercat import ids
from mercat.catalog.columns import BadField
from mercat.catalog.messages import TEXTS, Image, ImportRow, ImportVariant, WholeAttribute, texts_of
from mercat.catalog.offers import sale_columns
from mercat.catalog.rules import drawn_images, kept_texts, key_of
from mercat.catalog.variants import in_order
from mercat.ids import CategoryId, OfferId, ProductId, SellerId, SkuId
from mercat.kit import clock, codec

_FIELDS = {"category": "category_path"}
_ONCE_CUT_TO = 50
_SAID = frozenset({*TEXTS, "category", "attributes", "tags", "images", "currency"})
"""What rows say of a product beside its variants."""
VARIANT_SAYS = frozenset(
    {"price", "compare_at_price", "sale", "quantity", "status", "gtin", "weight_g", "variant_images"}
)
"""What rows say of a variant."""


class StandingVariant(Struct, frozen=True):
    key: str
    place: int
    options: dict[str, str] = {}
    sku: str = ""
    images: list[Image] = []
    offer_id: int | None = None


class KeyedVariant(NamedTuple):
    """A variant with its place in its product and the key that it is known by there."""

    place: int
    key: str
    variant: ImportVariant
    images: Sequence[Image] = ()
    """What it has already."""


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

    def addresses(self) -> list[tuple[int, str]]:
        """List where products stood in the shop that they come from."""
        return [(product_id, path) for product_id, row in self.rows.items() for path in row.row.former_paths]

    def places(self, product_id: int, key: str | None = None) -> set[int]:
        """Say where in the batch a product is meant, or one variant of it."""
        row = self.rows.get(product_id)
        if row is None:
            return set()
        return set(row.places.values()) if key is None else {row.places.get(key, row.place)}


_OF_OFFERS = frozenset({"price", "compare_at_price", "sale", "quantity", "status", "currency"})


class Repricing:
    """Prices, states and stock for offers that are there: rows that say nothing else of a product."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        """Offer, price, the price it is compared with, a sale's columns and whether one is said, currency,
        status: as the statement takes them."""
        self.places: dict[int, int] = {}
        """By offer, where in the batch it is meant."""
        self.counted: dict[int, int] = {}
        """By offer, the units that a row says."""

    @staticmethod
    def is_enough(row: Row) -> bool:
        """Say whether a row is about the offers of a product that is there, and nothing else of it."""
        given = row.row.given
        return row.product_id is not None and bool(given) and given <= _OF_OFFERS

    def add(self, given: Row, skus: list[StandingVariant]) -> bool:
        """Take a row; False where it is about a variant that is not offered yet. BadField refuses it."""
        row = given.row
        offers = {sku.key: sku.offer_id for sku in skus}
        variants = variants_over(row, skus)
        if any(offers.get(each.key) is None for each in variants):
            return False
        says_status = "status" in (row.given or ())
        for each in variants:
            variant = each.variant
            offer_id = offers[each.key] or 0
            status = variant.status or (row.status if says_status else None)
            prices = (variant.price, variant.compare_at_price, *sale_columns(variant.sale))
            self.rows.append((offer_id, *prices, variant.sale is not None, row.currency, status))
            self.places[offer_id] = given.places.get(each.key, given.place)
            if variant.quantity is not None:
                self.counted[offer_id] = variant.quantity
        return True


class Staging:
    """Stage the rows of a seller one by one. `stock`: the units of a new offer whose row does not say."""

    def __init__(self, seller_id: SellerId, seller_name: str, stock: int) -> None:
        self.staged = Staged()
        self.seller_id = seller_id
        self._seller_name = seller_name
        self._stock = stock

    def add(self, given: Row, category_id: CategoryId, standing: Any = None) -> None:
        """Stage a row; `standing` is its product, where it is there already. BadField refuses it."""
        row = given.row
        if given.product_id is None and row.given is not None and "title" not in row.given:
            raise BadField("title", "is missing, and there is no such product to change")
        product_id = given.product_id or ids.new(ProductId)
        if row.given is not None and standing is not None:
            variants = variants_over(row, _skus(standing))
            columns = _over(row, category_id, standing)
        else:
            variants = placed(row.variants, _skus(standing))
            columns = _whole(row, category_id, product_id, standing)
        self.staged.rows[product_id] = given
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
                codec.text(_pictures(variant.images, keyed.images, row.title, row.alts)),
                variant.price,
                variant.compare_at_price,
                *sale_columns(variant.sale),
                variant.sale is not None or "sale" in (row.given or ()),
                row.currency,
                variant.sku,
                variant.status or (row.status if says_status else None),
                quantity > 0,
                int(quantity > 0),
                row.given is None,
                row.given is None or "title" in row.given,
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
    says = VARIANT_SAYS & (row.given or frozenset())
    if len(row.variants) == 1 and key_of(row.variants[0]) == "" and "" not in there:
        [only] = row.variants
        if not says:
            return []
        if len(skus) > 1 and says - {"status"}:
            raise BadField("sku", f"is missing: the product has {len(skus)} variants")
        return [
            KeyedVariant(sku.place, sku.key, replace(only, options=sku.options), sku.images) for sku in skus
        ]
    if len(row.variants) == len(skus) == 1 and skus[0].key == "" and not row.variants[0].options:
        return [KeyedVariant(skus[0].place, "", row.variants[0], skus[0].images)]
    after = max((sku.place for sku in skus), default=-1) + 1
    found: list[KeyedVariant] = []
    for n, variant in enumerate(row.variants):
        standing = there.get(key_of(variant)) or _chosen_by(variant, skus)
        if standing is None:
            found.append(KeyedVariant(after + n, key_of(variant), variant))
        else:
            own = replace(variant, options=variant.options or standing.options)
            found.append(KeyedVariant(standing.place, standing.key, own, standing.images))
    return found


def placed(variants: list[ImportVariant], skus: list[StandingVariant]) -> list[KeyedVariant]:
    """Say which variants all of a product's are: those that stand by their key, SKU or options, and new ones.

    They keep their places where they stand in the same order as before."""
    left = {sku.key: sku for sku in skus}
    by_sku = {sku.sku: sku.key for sku in skus if sku.sku}
    found: list[StandingVariant | None] = []
    for variant in variants:
        own = key_of(variant)
        alike = _chosen_by(variant, list(left.values()))
        keys = (own, by_sku.get(variant.sku, own), alike.key if alike else own)
        found.append(left.pop(next((key for key in keys if key in left), own), None))
    if len(variants) == len(skus) == 1 and found[0] is None and not variants[0].sku:
        found = [skus[0]]
    places = [sku.place for sku in found if sku is not None]
    same = len(places) == len(found) and places == sorted(set(places))
    return [
        KeyedVariant(
            sku.place if sku is not None and same else n,
            key_of(variant) if sku is None else sku.key,
            variant,
            () if sku is None else sku.images,
        )
        for n, (variant, sku) in enumerate(zip(variants, found, strict=True))
    ]


def _chosen_by(variant: ImportVariant, skus: list[StandingVariant]) -> StandingVariant | None:
    """Find the variant that is chosen by the same options; before 0.2.0 they were cut."""
    cut = {name[:_ONCE_CUT_TO]: value[:_ONCE_CUT_TO] for name, value in variant.options.items()}
    return next((sku for sku in skus if variant.options and sku.options in (variant.options, cut)), None)


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


def _skus(standing: Any) -> list[StandingVariant]:
    if standing is None or not standing["skus"]:
        return []
    return codec.decode(standing["skus"], list[StandingVariant])


def _whole(row: ImportRow, category_id: CategoryId, product_id: ProductId, standing: Any) -> tuple[Any, ...]:
    """Make the columns of a product that a row says all of. What it says as it stands stays as it is, down to
    the kinds of attributes; ratings and popularity stay where the row has none."""
    texts = kept_texts(row)
    before = codec.decode(standing["images"], list[Image]) if standing is not None else []
    images = _pictures(row.images, before, texts.title, row.alts)
    attributes, options = dict(row.attributes), row.options
    ratings = (row.rating, row.review_count, row.histogram)
    popularity = row.popularity
    if standing is not None:
        attributes = _in_kind(attributes, standing)
        options = _same_choices(options, standing)
        if not sum(row.histogram):
            ratings = (standing["rating"], standing["review_count"], standing["histogram"])
        popularity = popularity or standing["popularity"]
    return (
        *texts_of(texts).values(),
        category_id,
        codec.text(attributes),
        codec.text(options),
        row.tags,
        codec.text(images or drawn_images(product_id, texts.title, before)),
        *ratings,
        popularity,
        row.seo_title or (standing["seo_title"] if standing is not None else ""),
        row.seo_description or (standing["seo_description"] if standing is not None else ""),
    )


def _over(row: ImportRow, category_id: CategoryId, standing: Any) -> tuple[Any, ...]:
    """Make the columns of a product that a row says some of: the others stay as they are."""
    given = row.given or frozenset[str]()
    said = given | ({"description_html"} if "description" in given else set[str]())
    kept = texts_of(kept_texts(row))
    texts = {name: kept[name] if name in said else standing[name] for name in TEXTS}
    attributes = codec.decode(standing["attributes"], dict[str, WholeAttribute])
    if "attributes" in given:
        attributes |= _in_kind(row.attributes, standing)
    options = codec.decode(standing["options"], dict[str, list[str]])
    for name, values in row.options.items():
        options[name] = list(dict.fromkeys([*options.get(name, []), *values]))
    images = codec.decode(standing["images"], list[Image])
    if "images" in given:
        images = _pictures(row.images, images, texts["title"], row.alts)
    return (
        *texts.values(),
        category_id if "category" in given else standing["category_id"],
        codec.text(attributes),
        codec.text(in_order(options, standing["option_names"])),
        row.tags if "tags" in given else standing["tags"],
        codec.text(images),
        standing["rating"],
        standing["review_count"],
        standing["histogram"],
        standing["popularity"],
        row.seo_title or standing["seo_title"],
        row.seo_description or standing["seo_description"],
    )


def _pictures(
    urls: Sequence[str], standing: Sequence[Image], title: str, alts: Mapping[str, str]
) -> list[Image]:
    """Make pictures of their addresses; one that stands, or whose source it is, keeps what is known of it."""
    known = {image.source: image for image in standing if image.source}
    known |= {image.url: image for image in standing}
    found = [known.get(url) or Image(url, title) for url in urls]
    return [replace(image, alt=alts.get(url) or image.alt) for url, image in zip(urls, found, strict=True)]


def _in_kind(attributes: Mapping[str, WholeAttribute], standing: Any) -> dict[str, WholeAttribute]:
    """Keep numbers and yes-or-no that a file writes as the same text."""
    before = codec.decode(standing["attributes"], dict[str, WholeAttribute])
    return {
        name: before[name] if name in before and codec.text(before[name]) == value else value
        for name, value in attributes.items()
    }


def _same_choices(options: dict[str, list[str]], standing: Any) -> dict[str, list[str]]:
    """Keep what can be chosen, in its order, where a file says no other of it."""
    before = in_order(codec.decode(standing["options"], dict[str, list[str]]), standing["option_names"])
    same = before.keys() == options.keys() and all({*options[name]} <= {*before[name]} for name in before)
    return before if same else options


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
