"""The index on disk: what is kept of a product, who writes it, and how readers notice.

    <folder>/current -> <form>-<number>     a symbolic link, replaced in one step: nobody sees half an index
    <folder>/<form>-<number>/               one tantivy index; `form` changes with the fields below

One process writes. Readers in any process look at one file's stat four times a second; the index itself is
mapped into memory, so all of them share the pages of the operating system.
"""

import os
import shutil
import struct
import time
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import structlog
from tantivy import (
    Document as Entry,
)
from tantivy import Index, IndexWriter, Query, Schema, SchemaBuilder

from mercat import money
from mercat.events import Document, ProductChanged
from mercat.kit import codec
from mercat.kit.refusals import Unavailable
from mercat.search.engines.tantivy_searcher import Embedded
from mercat.search.facets import attributes as traits
from mercat.search.messages import Card, Seller
from mercat.search.product_rows import FILE, ROW, Book, Pages, rows
from mercat.search.query.analyze import ENGLISH, PLAIN

log = structlog.get_logger("mercat.search")
GLANCE_S = 0.25
PROSE_LETTERS_MAX = 20_000
DETAIL_LETTERS_MAX = 500
PRICE_BOUNDS = (25, 50, 100)
"""Where a range of prices ends, in units of the currency."""
STARS = (4, 3, 2, 1)
TITLE_SAID = 3
"""So often does a title stand in what a product says of itself."""
SPLIT = "\x1f"
NOBODY = SPLIT
"""Of no brand."""
NO_ROW = 2**40
NO_PRODUCT = 2**63
_PATIENCE_S = 1.0
_HEAP_BYTES, _FILLING_HEAP_BYTES = 30_000_000, 120_000_000
_GOLDEN = 0x9E37_79B9_7F4A_7C15  # 2**64 / golden ratio: Fibonacci hashing (Knuth, TAOCP 3, 6.4)

FIELDS = (
    # what is searched, stemmed: what a product says of itself as one text (to score), with its attributes (to
    # find), and the title alone
    ("said", "text", {"tokenizer_name": "english", "index_option": "freq"}),
    ("everything", "text", {"tokenizer_name": "english", "index_option": "basic"}),
    ("title", "text", {"tokenizer_name": "english", "index_option": "position"}),
    # what is completed and spelt: as written
    ("words", "text", {"tokenizer_name": "plain", "index_option": "basic"}),
    ("completions", "text", {"tokenizer_name": "raw", "index_option": "basic"}),
    # what is filtered and counted
    ("brand", "text", {"tokenizer_name": "raw", "index_option": "basic"}),
    ("category", "text", {"tokenizer_name": "raw", "index_option": "basic"}),
    ("external_id", "text", {"tokenizer_name": "raw", "index_option": "basic"}),
    ("seller_id", "unsigned", {"indexed": True}),
    ("price", "unsigned", {"fast": True}),
    ("rating", "float", {"fast": True}),
    ("in_stock", "boolean", {"indexed": True, "fast": True}),
    ("for_sale", "boolean", {"indexed": True}),
    # what is counted: one word of each for every product for sale, which the engine counts fastest
    ("maker", "text", {"tokenizer_name": "raw", "index_option": "basic", "fast": True}),
    ("aisle", "text", {"tokenizer_name": "raw", "index_option": "basic", "fast": True}),
    ("shelf", "text", {"tokenizer_name": "raw", "index_option": "basic", "fast": True}),
    # what is sorted by: the product's own number makes every key its own, nearly
    ("by_price", "unsigned", {"fast": True}),
    ("by_rating", "unsigned", {"fast": True}),
    ("by_age", "unsigned", {"fast": True}),
    ("prior", "float", {"fast": True}),
    # who it is, and what is shown
    ("product_id", "unsigned", {"indexed": True, "fast": True}),
    ("version", "unsigned", {"fast": True}),
    ("row", "unsigned", {"fast": True}),
    # what a category's own facets count (traits.py)
    (traits.FIELD, "json", {"fast": True, "tokenizer_name": "raw", "index_option": "basic"}),
    (traits.NAMES, "text", {"tokenizer_name": "raw", "index_option": "basic", "fast": True}),
    (traits.SAMPLE, "boolean", {"indexed": True}),
    ("card", "bytes", {"stored": True}),
)


def _schema() -> Schema:
    builder = SchemaBuilder()
    for name, kind, options in FIELDS:
        getattr(builder, f"add_{kind}_field")(name, **options)
    return builder.build()


SCHEMA = _schema()
FORM = f"{zlib.crc32(repr((FIELDS, ROW.descr)).encode()):08x}"


SETTING_UP = "Search is being set up. Nothing is lost; try again shortly."


def by_word(buckets: list[dict[str, Any]]) -> dict[str, int]:
    """Counts as the engine answers them."""
    return {bucket["key"]: int(bucket["doc_count"]) for bucket in buckets}


def by_category(aisles: dict[str, int]) -> dict[str, int]:
    """Counts of aisles as counts of categories, descendants' included."""
    counts: dict[str, int] = {}
    for aisle, products in aisles.items():
        for slug in aisle.split(SPLIT):
            counts[slug] = counts.get(slug, 0) + products
    return counts


class Broken(Exception):
    """The index cannot be read or written as it stands."""


@contextmanager
def mishaps() -> Generator[None]:
    """Whatever the engine throws becomes `Broken`: a panic of Rust is not even an Exception in Python."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, struct.error) as error:
        raise Broken(str(error)) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise Broken(str(error)) from error


def _open(path: Path, *, create: bool = False) -> Index:
    index = Index(SCHEMA, str(path)) if create else Index.open(str(path))
    index.register_tokenizer("english", ENGLISH)
    index.register_tokenizer("plain", PLAIN)
    index.config_reader("manual")
    index.reload()
    return index


class Folder:
    """Where the shop's index is."""

    far = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pointer = path / "current"
        self.meta = str(self.pointer / "meta.json")

    def reader(self) -> "Reader":
        return Reader(self)

    def writer(self, path: Path, *, create: bool = False) -> "Writer":
        return Writer(path, create=create)

    def current(self) -> Path | None:
        """The index in use; None where there is none of today's form."""
        try:
            name = os.readlink(self.pointer)
        except OSError:
            return None
        return self.path / name if name.startswith(FORM) else None

    def there(self) -> bool:
        return self.current() is not None and os.path.exists(self.meta)

    def beside(self) -> Path:
        """A new, empty place for the next index. What else lies there and is not in use goes."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.sweep()
        fresh = self.path / f"{FORM}-{time.time_ns()}"
        fresh.mkdir()
        return fresh

    def use(self, path: Path) -> None:
        link = self.path / "next"
        link.unlink(missing_ok=True)
        link.symlink_to(path.name)
        link.replace(self.pointer)
        self.sweep()

    def drop(self) -> None:
        """What is open serves until there is another one."""
        self.pointer.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Removes what is not in use. Readers that still have it open keep it until they let go."""
        used = self.current()
        for path in self.path.iterdir():
            if path.is_dir() and not path.is_symlink() and path != used:
                shutil.rmtree(path, ignore_errors=True)

    def sound(self) -> bool:
        """Whether the index in use can be opened, and its files are as they were written."""
        path = self.current()
        if path is None:
            return False
        try:
            with mishaps():
                _open(path)
                _check_files(path)
                if not (path / FILE).exists():
                    raise OSError("the facts are not there")
        except Broken as error:
            log.error("the index is broken", index=path.name, reason=str(error)[:300])
            return False
        return True


_PARTS = ("idx", "pos", "term", "fast", "fieldnorm", "store")


class _Segment(msgspec.Struct):
    segment_id: str


class _Meta(msgspec.Struct):
    segments: list[_Segment]


class _Footer(msgspec.Struct):
    crc: int


def _check_files(path: Path) -> None:
    meta = (path / "meta.json").read_bytes()
    try:
        for segment in msgspec.json.decode(meta, type=_Meta).segments:
            name = segment.segment_id.replace("-", "")
            for file in [path / f"{name}.{part}" for part in _PARTS] + list(path.glob(f"{name}.*.del")):
                _check(file)
    except FileNotFoundError:
        if (path / "meta.json").read_bytes() == meta:
            raise
        _check_files(path)  # merged away while we looked


def _check(file: Path) -> None:
    """A file of the engine ends in a footer of JSON, its length and a magic number; the footer has the CRC of
    what stands before it. Source: tantivy, src/directory/footer.rs."""
    content = memoryview(file.read_bytes())
    length, _ = struct.unpack("<II", content[-8:])
    body, footer = content[: -8 - length], content[-8 - length : -8]
    if zlib.crc32(body) != msgspec.json.decode(footer, type=_Footer).crc:
        raise OSError(f"{file.name} is not as it was written")


class Reader:
    """The newest state of the index that this process has noticed."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.look_again()
        self._seen: tuple[int, int] | None = None
        self._path: Path | None = None
        self._index: Index | None = None
        self._searcher: Embedded | None = None
        self.pages: Pages | None = None
        self.counted: dict[str, Any] = {}
        """What has been counted of all products, while they are what they are; another state, another one."""

    def searcher(self) -> Embedded:
        now = time.monotonic()
        if now - self._looked >= GLANCE_S:
            self._looked = now
            self._glance()
        if self._searcher is None:
            raise Unavailable(SETTING_UP)
        return self._searcher

    def look_again(self) -> None:
        self._looked = float("-inf")

    def _glance(self) -> None:
        try:
            meta = os.stat(self._folder.meta)
        except OSError:
            return  # gone: what is open still serves until it has been built anew
        seen = (meta.st_ino, meta.st_mtime_ns)
        path = self._folder.current()
        if seen == self._seen or path is None:
            return
        try:
            with mishaps():
                if path == self._path and self._index:
                    self._index.reload()
                else:
                    self._index, self._path, self.pages = _open(path), path, Pages(path)
                self._searcher = Embedded(self._index.searcher(), SCHEMA)
        except Broken as error:
            log.warning("the index cannot be read", index=path.name, reason=str(error)[:300])
            self._looked += _PATIENCE_S
            return
        self._seen = seen
        self.counted = {}


class Writer:
    """Writes one index. Not for two threads at once; the lock file keeps other processes out."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        with mishaps():
            self._index = _open(path, create=create)
            self._book = Book(path)
        self._writer: IndexWriter | None = None
        self._filled = 0 if create else NO_PRODUCT
        """The highest product that `fill` has put here."""
        self._told: set[int] = set()
        """What `apply` has put here before `fill` was past it."""
        self._open = False

    def apply(self, changes: Sequence[ProductChanged]) -> int:
        """Writes what is newer than what is there, and returns how much that was. When it returns, it is on
        disk. Told twice, or late, it changes nothing; half a batch is never seen."""
        if not changes:
            return 0
        newest: dict[int, ProductChanged] = {}
        for change in changes:
            known = newest.get(change.product_id)
            if known is None or change.version > known.version:
                newest[int(change.product_id)] = change
        entries = {product_id: _entry(change) for product_id, change in newest.items()}
        with mishaps():
            self.finish()
            stored = self._stored(list(newest))
            fresh = [
                product
                for product, change in newest.items()
                if product not in stored or change.version > stored[product].version
            ]
            if fresh:
                with self._all_or_nothing():
                    self._number(entries, {product: newest[product] for product in fresh}, stored)
                    # by query: tantivy-py 0.27 takes a number given to delete_documents_by_term for signed
                    self._taken().delete_documents_by_query(_of(fresh))
                    self._add([entries[product] for product in fresh])
                    self.finish()
                self._told.update(product for product in fresh if product > self._filled)
        return len(fresh)

    def fill(self, changes: Sequence[ProductChanged]) -> int:
        """Puts products into a new index, and returns how many. Those that come in the order of their numbers
        need no look at what is there, and one commit for all: they are on disk, and seen, after `finish`."""
        plain, other = list[ProductChanged](), list[ProductChanged]()
        for change in changes:
            first = change.product_id > self._filled and change.product_id not in self._told
            (plain if first else other).append(change)
            if change.product_id > self._filled:
                self._told.discard(int(change.product_id))
                self._filled = int(change.product_id)
        entries = {int(change.product_id): _entry(change) for change in plain}
        if plain:
            with mishaps(), self._all_or_nothing():
                self._taken(_FILLING_HEAP_BYTES)
                self._number(entries, {int(change.product_id): change for change in plain}, {})
                self._add(list(entries.values()))
        return len(plain) + self.apply(other)

    def finish(self) -> None:
        """Puts on disk what is not yet, for readers to see."""
        if self._open:
            with mishaps():
                self._book.keep()
                self._taken().commit()
                self._index.reload()
                self._open = False

    @contextmanager
    def _all_or_nothing(self) -> Generator[None]:
        try:
            yield
        except BaseException:
            self._writer, self._open = None, False  # dropped with all that was not committed
            raise

    def _taken(self, heap: int = _HEAP_BYTES) -> IndexWriter:
        if self._writer is None:
            self._writer = self._index.writer(heap, 1)
        return self._writer

    def _add(self, entries: list[Entry]) -> None:
        writer = self._taken()
        self._open = True
        for entry in entries:
            writer.add_document(entry)

    def _number(
        self, entries: dict[int, Entry], fresh: dict[int, ProductChanged], stored: dict[int, "_Stored"]
    ) -> None:
        """Gives each product its row of facts: the one it has, where that still says the same."""
        there = [
            (product, change.document, list(details_of(change.document)))
            for product, change in fresh.items()
            if change.document
        ]
        made = dict(
            zip(
                [product for product, _, _ in there],
                rows([(document, details) for _, document, details in there]),
                strict=True,
            )
        )
        known = {product: stored[product].row for product in made if product in stored}
        same = dict(zip(known, self._book.read(list(known.values())), strict=True))
        added = [product for product, bytes_ in made.items() if same.get(product) != bytes_]
        numbers = dict(zip(added, count(self._book.add([made[each] for each in added])), strict=False))
        for product in made:
            entries[product].add_unsigned("row", numbers.get(product, known.get(product, 0)))

    def _stored(self, products: list[int]) -> dict[int, "_Stored"]:
        searcher = self._index.searcher()
        if not searcher.num_docs:
            return {}
        found = searcher.search(_of(products), len(products), count=False)
        addresses = [address for _, address in found.hits]
        ids, versions, numbers = (
            searcher.fast_field_values(field, addresses) for field in ("product_id", "version", "row")
        )
        return {
            int(product or 0): _Stored(int(version or 0), NO_ROW if number is None else int(number))
            for product, version, number in zip(ids, versions, numbers, strict=True)
        }

    def rest(self) -> None:
        """Finishes merging and gives memory and threads back; the next batch takes them again."""
        self.finish()
        writer, self._writer = self._writer, None
        if writer:
            with mishaps():
                writer.wait_merging_threads()


class _Stored(NamedTuple):
    version: int
    row: int


def _of(products: list[int]) -> Query:
    return Query.term_set_query(SCHEMA, "product_id", products)


def _entry(change: ProductChanged) -> Entry:
    """A product as the index keeps it. What is not for sale any more leaves its version behind, so that an
    older fact cannot bring it back."""
    entry = Entry()
    product = change.document
    entry.add_unsigned("product_id", change.product_id)
    entry.add_unsigned("version", change.version)
    entry.add_boolean("for_sale", product is not None)
    if product is None:
        return entry
    said = [product.description[:PROSE_LETTERS_MAX], product.brand or "", *product.tags]
    said += product.category_names
    entry.add_text("title", product.title)
    entry.add_text("said", "\n".join([product.title] * TITLE_SAID + said))
    entry.add_text("everything", "\n".join([product.title, *said, *details_of(product)]))
    entry.add_text("words", product.title)
    for slug in {product.category, *product.categories}:
        entry.add_text("category", slug)
    if product.brand:
        entry.add_text("brand", product.brand)
        entry.add_text("words", product.brand)
    for completion in completions_of(product):
        entry.add_text("completions", completion)
    if product.external_id:
        entry.add_text("external_id", product.external_id)
    entry.add_unsigned("seller_id", product.seller_id)
    entry.add_text("maker", product.brand or NOBODY)
    entry.add_text("aisle", aisle(product))
    entry.add_text("shelf", shelf(product))
    entry.add_unsigned("price", product.price)
    entry.add_float("rating", float(product.rating))
    entry.add_boolean("in_stock", product.in_stock)
    entry.add_unsigned("by_price", by_price(product))
    entry.add_unsigned("by_rating", by_rating(product))
    entry.add_unsigned("by_age", by_age(product))
    entry.add_float("prior", prior_of(product))
    entry.add_bytes("card", card_of(product))
    _add_traits(entry, product)
    return entry


def _add_traits(entry: Entry, product: Document) -> None:
    found = traits.of(product)
    entry.add_json(traits.FIELD, {traits.key(name): values for name, values in found.items()})
    for name in found:
        entry.add_text(traits.NAMES, name)
    entry.add_boolean(traits.SAMPLE, traits.in_sample(product))


def details_of(product: Document) -> Iterator[str]:
    """Attributes in words: "Bluetooth" of a connection, and "wireless charging" where that is true."""
    for name, value in product.attributes.items():
        if isinstance(value, str):
            yield value[:DETAIL_LETTERS_MAX]
        elif value is True:
            yield name.replace("_", " ")


def completions_of(product: Document) -> Iterator[str]:
    """The brand, and the category under every beginning by which somebody may know it: "digital cameras",
    "cameras"."""
    if product.brand:
        yield SPLIT.join(("b", product.brand.lower(), product.brand))
    if product.category_names:
        name = product.category_names[-1]
        words = name.lower().split()
        for start in range(len(words)):
            yield SPLIT.join(("c", " ".join(words[start:]), product.category, name))


def aisle(product: Document) -> str:
    """All its categories, as one word."""
    return SPLIT.join(dict.fromkeys([*product.categories, product.category]))


def shelf(product: Document) -> str:
    """In which range of prices and of ratings it counts, as one word: counting 20 words is cheap."""
    unit = 10 ** money.exponent(product.currency)
    dear = sum(product.price >= bound * unit for bound in PRICE_BOUNDS)
    return f"{dear}{sum(product.rating >= star for star in STARS)}"


def _tie(product: Document, bits: int) -> int:
    """The product's number, scattered: equal prices rarely have equal keys."""
    return (product.product_id * _GOLDEN & (2**64 - 1)) >> (64 - bits)


def by_price(product: Document) -> int:
    return min(product.price, 2**40 - 1) << 24 | _tie(product, 24)


def by_rating(product: Document) -> int:
    """Rating, then how many gave it, then how well it sells. A millionth of a star tells means of hundreds of
    reviews apart."""
    rating = int(min(max(product.rating, 0), 5) * 1_000_000)
    reviews = min(max(product.review_count, 0), 2**17 - 1)
    popularity = min(max(product.popularity, 0).bit_length(), 31)
    return ((rating << 17 | reviews) << 5 | popularity) << 19 | _tie(product, 19)


def by_age(product: Document) -> int:
    milliseconds = int(product.created_at.timestamp() * 1_000)
    return min(max(milliseconds, 0), 2**42 - 1) << 22 | _tie(product, 22)


def prior_of(product: Document) -> float:
    """Scores are multiplied by log2(2 + prior), here 1 to 1.02: enough to decide between equals by rating,
    and between those by sales; too little to beat a better match."""
    rating = min(max(product.rating, 0), 5) / 5
    sales = min(max(product.popularity, 0).bit_length(), 31) / 31
    return 2 ** (1 + 0.02 * rating + 0.000_01 * sales) - 2


def card_of(product: Document) -> bytes:
    return codec.encode(
        Card(
            product_id=product.product_id,
            title=product.title,
            price=money.shown(product.price, product.currency),
            currency=product.currency,
            rating=product.rating,
            review_count=product.review_count,
            image_url=product.image_url,
            in_stock=product.in_stock,
            seller=Seller(product.seller_id, product.seller_name),
            category=product.category,
            brand=product.brand,
            external_id=product.external_id,
        )
    )
