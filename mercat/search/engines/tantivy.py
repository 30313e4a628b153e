"""tantivy, in this process: the index on disk, its writer, and how readers notice a change.

    <folder>/current -> <form>-<number>     a symbolic link, replaced in one step: nobody sees half an index
    <folder>/<form>-<number>/               one tantivy index; the form is that of `product_entry.py`

One process writes. Readers in any process look at one file's stat four times a second; the index itself is
mapped into memory, so that they share the pages of the operating system."""

import os
import shutil
import struct
import time
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import structlog
from tantivy import Document as TantivyDocument
from tantivy import Index, IndexWriter, Query, Schema, SchemaBuilder

from mercat.events import Document, ProductChanged
from mercat.kit.refusals import Unavailable
from mercat.search import product_entry
from mercat.search.engine import SETTING_UP, BrokenIndex, engine_errors, newest_changes
from mercat.search.engines.tantivy_searcher import TantivySearcher
from mercat.search.facets import attributes
from mercat.search.facets.ranges import price_rating_bucket
from mercat.search.product_rows import MappedRows, RowFile, make_rows
from mercat.search.query import codes, mentions
from mercat.search.query.analyze import ENGLISH, PLAIN, indexed_text

log = structlog.get_logger("mercat.search")
_GLANCE_S = 0.25
_AFTER_FAILURE_S = 1.0
_NO_ROW = 2**40
_BEYOND_ALL_PRODUCTS = 2**63
_HEAP_BYTES, _FILLING_HEAP_BYTES = 30_000_000, 120_000_000

FIELDS = (
    # searched, stemmed: the main text (to score), that with all attributes (to find), and the title alone
    ("main_text", "text", {"tokenizer_name": "english", "index_option": "freq"}),
    ("all_text", "text", {"tokenizer_name": "english", "index_option": "basic"}),
    ("title", "text", {"tokenizer_name": "english", "index_option": "position"}),
    # what it is named by, and the kinds of things of its categories
    (mentions.NAMED, "text", {"tokenizer_name": "english", "index_option": "basic"}),
    (mentions.THINGS, "text", {"tokenizer_name": "raw", "index_option": "basic"}),
    # completed and corrected: as written
    ("plain_words", "text", {"tokenizer_name": "plain", "index_option": "basic"}),
    ("completions", "text", {"tokenizer_name": "raw", "index_option": "basic"}),
    # filtered
    ("brand", "text", {"tokenizer_name": "raw", "index_option": "basic"}),
    ("category", "text", {"tokenizer_name": "raw", "index_option": "basic"}),
    (codes.FIELD, "text", {"tokenizer_name": "raw", "index_option": "basic"}),
    ("seller_id", "unsigned", {"indexed": True}),
    ("price", "unsigned", {"fast": True}),
    ("rating", "float", {"fast": True}),
    ("in_stock", "boolean", {"indexed": True, "fast": True}),
    ("for_sale", "boolean", {"indexed": True}),
    # counted: one term of each for every product for sale, which the engine counts fastest
    ("brand_facet", "text", {"tokenizer_name": "raw", "index_option": "basic", "fast": True}),
    ("category_path", "text", {"tokenizer_name": "raw", "index_option": "basic", "fast": True}),
    ("price_rating_bucket", "text", {"tokenizer_name": "raw", "index_option": "basic", "fast": True}),
    # sorted by: the product's own id makes nearly every key unique
    ("by_price", "unsigned", {"fast": True}),
    ("by_rating", "unsigned", {"fast": True}),
    ("by_standing", "unsigned", {"fast": True}),
    ("by_age", "unsigned", {"fast": True}),
    ("static_rank", "float", {"fast": True}),
    # identity, and the row of the ranker
    ("product_id", "unsigned", {"indexed": True, "fast": True}),
    ("version", "unsigned", {"fast": True}),
    ("row", "unsigned", {"fast": True}),
    # a category's own facets
    (attributes.FIELD, "json", {"fast": True, "tokenizer_name": "raw", "index_option": "basic"}),
    (attributes.NAMES, "text", {"tokenizer_name": "raw", "index_option": "basic", "fast": True}),
    (attributes.SAMPLE, "boolean", {"indexed": True}),
    ("card", "bytes", {"stored": True}),
)


def _schema() -> Schema:
    builder = SchemaBuilder()
    for name, kind, options in FIELDS:
        getattr(builder, f"add_{kind}_field")(name, **options)
    return builder.build()


SCHEMA = _schema()
FORM = product_entry.index_form(FIELDS)
_UNSIGNED_FIELDS = frozenset(name for name, kind, _ in FIELDS if kind == "unsigned")


def _open(path: Path, *, create: bool = False) -> Index:
    index = Index(SCHEMA, str(path)) if create else Index.open(str(path))
    index.register_tokenizer("english", ENGLISH)
    index.register_tokenizer("plain", PLAIN)
    index.config_reader("manual")
    index.reload()
    return index


def _searcher(index: Index) -> TantivySearcher:
    return TantivySearcher(index.searcher(), SCHEMA, _UNSIGNED_FIELDS)


class TantivyStore:
    """The indexes of a shop, in a folder: an `IndexStore`."""

    remote = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pointer = path / "current"
        self.meta = str(self.pointer / "meta.json")

    def reader(self) -> "TantivyReader":
        return TantivyReader(self)

    def writer(self, path: Path, *, create: bool = False) -> "TantivyWriter":
        return TantivyWriter(path, create=create)

    def current(self) -> Path | None:
        """Return the index in use; None where there is none of today's form."""
        try:
            name = os.readlink(self.pointer)
        except OSError:
            return None
        return self.path / name if name.startswith(FORM) else None

    def exists(self) -> bool:
        """Tell whether there is an index in use that was written to the end."""
        return self.current() is not None and os.path.exists(self.meta)

    def new_path(self) -> Path:
        """Make an empty folder for the next index. Whatever else is there and not in use is deleted."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._delete_unused()
        fresh = self.path / f"{FORM}-{time.time_ns()}"
        fresh.mkdir()
        return fresh

    def use(self, path: Path) -> None:
        """Put an index in use in one step."""
        link = self.path / "next"
        link.unlink(missing_ok=True)
        link.symlink_to(path.name)
        link.replace(self.pointer)
        self._delete_unused()

    def drop(self) -> None:
        """Take the index out of use. Readers that have it open go on until there is another one."""
        self.pointer.unlink(missing_ok=True)

    def _delete_unused(self) -> None:
        """Delete what is not in use. Readers that have it open keep it until they close it."""
        used = self.current()
        for path in self.path.iterdir():
            if path.is_dir() and not path.is_symlink() and path != used:
                shutil.rmtree(path, ignore_errors=True)

    def is_sound(self) -> bool:
        """Check that the index in use can be opened, and that its files are as they were written."""
        path = self.current()
        if path is None:
            return False
        try:
            with engine_errors():
                _open(path)
                _check_files(path)
                if not RowFile.exists(path):
                    raise OSError("the rows are missing")
        except BrokenIndex as error:
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
                _check_crc(file)
    except FileNotFoundError:
        if (path / "meta.json").read_bytes() == meta:
            raise
        _check_files(path)  # merged away while we looked


def _check_crc(file: Path) -> None:
    """Compare a file with its checksum. It ends in a footer of JSON, the footer's length and a magic number;
    the footer has the CRC of what is before it. Source: tantivy, src/directory/footer.rs."""
    content = memoryview(file.read_bytes())
    length, _ = struct.unpack("<II", content[-8:])
    body, footer = content[: -8 - length], content[-8 - length : -8]
    if zlib.crc32(body) != msgspec.json.decode(footer, type=_Footer).crc:
        raise OSError(f"{file.name} is not as it was written")


class TantivyReader:
    """The newest state of the index that this process has noticed: an `IndexReader`."""

    def __init__(self, store: TantivyStore) -> None:
        self._store = store
        self.look_again()
        self._seen: tuple[int, int] | None = None
        self._path: Path | None = None
        self._index: Index | None = None
        self._searcher: TantivySearcher | None = None
        self.rows: MappedRows | None = None
        self.memo: dict[str, Any] = {}
        """What was computed for this state of the index; another state, another one."""

    def searcher(self) -> TantivySearcher:
        """Return the newest state, at most a quarter of a second late. Refuses with `Unavailable`."""
        now = time.monotonic()
        if now - self._looked >= _GLANCE_S:
            self._looked = now
            self._glance()
        if self._searcher is None:
            raise Unavailable(SETTING_UP)
        return self._searcher

    def look_again(self) -> None:
        """Look at the disk at the next search."""
        self._looked = float("-inf")

    def _glance(self) -> None:
        try:
            meta = os.stat(self._store.meta)
        except OSError:
            return  # gone: what is open still serves until it has been built anew
        seen = (meta.st_ino, meta.st_mtime_ns)
        path = self._store.current()
        if seen == self._seen or path is None:
            return
        try:
            with engine_errors():
                if path == self._path and self._index:
                    self._index.reload()
                else:
                    self._index, self._path, self.rows = _open(path), path, MappedRows(path)
                self._searcher = _searcher(self._index)
        except BrokenIndex as error:
            log.warning("the index cannot be read", index=path.name, reason=str(error)[:300])
            self._looked += _AFTER_FAILURE_S
            return
        self._seen = seen
        self.memo = {}


class TantivyWriter:
    """Writes one index: an `IndexWriter`. Not for two threads at once; a lock file keeps other processes
    out."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        with engine_errors():
            self._index = _open(path, create=create)
            self._rows = RowFile(path)
        self._writer: IndexWriter | None = None
        self._filled = 0 if create else _BEYOND_ALL_PRODUCTS
        """The highest product id that `fill` has written."""
        self._applied: set[int] = set()
        """Product ids beyond that, which `apply` has written."""
        self._uncommitted = False

    def apply(self, changes: Sequence[ProductChanged]) -> int:
        """Write what is newer than what is there, and return how much that was. On return it is on disk.
        Repeated, or late, it changes nothing; half a batch is never seen."""
        if not changes:
            return 0
        newest = newest_changes(changes)
        entries = {product_id: _entry(change) for product_id, change in newest.items()}
        with engine_errors():
            self._commit()
            stored = self._stored(list(newest))
            fresh = [
                product
                for product, change in newest.items()
                if product not in stored or change.version > stored[product].version
            ]
            if fresh:
                with self._rollback_on_error():
                    self._assign_rows(entries, {product: newest[product] for product in fresh}, stored)
                    # by query: tantivy-py 0.27 takes a number given to delete_documents_by_term for signed
                    self._index_writer().delete_documents_by_query(_products(fresh))
                    self._add([entries[product] for product in fresh])
                    self._commit()
                self._applied.update(product for product in fresh if product > self._filled)
        return len(fresh)

    def fill(self, changes: Sequence[ProductChanged]) -> int:
        """Write products to a new index, and return how many. Those that come in the order of their ids need
        no look at what is there, and one commit for all: they are on disk, and seen, after `rest`."""
        in_order, other = list[ProductChanged](), list[ProductChanged]()
        for change in changes:
            first = change.product_id > self._filled and change.product_id not in self._applied
            (in_order if first else other).append(change)
            if change.product_id > self._filled:
                self._applied.discard(int(change.product_id))
                self._filled = int(change.product_id)
        entries = {int(change.product_id): _entry(change) for change in in_order}
        if in_order:
            with engine_errors(), self._rollback_on_error():
                self._index_writer(_FILLING_HEAP_BYTES)
                self._assign_rows(entries, {int(change.product_id): change for change in in_order}, {})
                self._add(list(entries.values()))
        return len(in_order) + self.apply(other)

    def _commit(self) -> None:
        """Write what is uncommitted to disk, for readers to see."""
        if self._uncommitted:
            with engine_errors():
                self._rows.sync()
                self._index_writer().commit()
                self._index.reload()
                self._uncommitted = False

    @contextmanager
    def _rollback_on_error(self) -> Generator[None]:
        try:
            yield
        except BaseException:
            self._writer, self._uncommitted = None, False  # its uncommitted documents go with it
            raise

    def _index_writer(self, heap: int = _HEAP_BYTES) -> IndexWriter:
        if self._writer is None:
            self._writer = self._index.writer(heap, 1)
        return self._writer

    def _add(self, entries: list[TantivyDocument]) -> None:
        writer = self._index_writer()
        self._uncommitted = True
        for entry in entries:
            writer.add_document(entry)

    def _assign_rows(
        self,
        entries: dict[int, TantivyDocument],
        fresh: dict[int, ProductChanged],
        stored: dict[int, "_Stored"],
    ) -> None:
        """Give each product the number of its row: the one it has, where that has not changed."""
        for_sale = [
            (product, change.document, list(product_entry.attribute_words(change.document)))
            for product, change in fresh.items()
            if change.document
        ]
        made = dict(
            zip(
                [product for product, _, _ in for_sale],
                make_rows([(document, details) for _, document, details in for_sale]),
                strict=True,
            )
        )
        known = {product: stored[product].row for product in made if product in stored}
        same = dict(zip(known, self._rows.read(list(known.values())), strict=True))
        added = [product for product, bytes_ in made.items() if same.get(product) != bytes_]
        numbers = dict(zip(added, count(self._rows.append([made[each] for each in added])), strict=False))
        for product in made:
            entries[product].add_unsigned("row", numbers.get(product, known.get(product, 0)))

    def _stored(self, products: list[int]) -> dict[int, "_Stored"]:
        searcher = self._index.searcher()
        if not searcher.num_docs:
            return {}
        hits = searcher.search(_products(products), len(products), count=False).hits
        addresses = [address for _, address in hits]
        ids, versions, numbers = (
            searcher.fast_field_values(field, addresses) for field in ("product_id", "version", "row")
        )
        return {
            int(product or 0): _Stored(int(version or 0), _NO_ROW if number is None else int(number))
            for product, version, number in zip(ids, versions, numbers, strict=True)
        }

    def rest(self) -> None:
        """Commit, finish merging, and give memory and threads back; the next batch takes them again."""
        self._commit()
        writer, self._writer = self._writer, None
        if writer:
            with engine_errors():
                writer.wait_merging_threads()


class _Stored(NamedTuple):
    version: int
    row: int


def _products(products: list[int]) -> Query:
    return Query.term_set_query(SCHEMA, "product_id", products)


def _entry(change: ProductChanged) -> TantivyDocument:
    """Make a product's document. What is no longer for sale leaves its version behind, so that an older event
    cannot bring it back."""
    entry = TantivyDocument()
    product = change.document
    entry.add_unsigned("product_id", change.product_id)
    entry.add_unsigned("version", change.version)
    entry.add_boolean("for_sale", product is not None)
    if product is not None:
        _add_text(entry, product)
        _add_filters(entry, product)
        _add_sort_keys(entry, product)
        _add_attributes(entry, product)
        entry.add_bytes("card", product_entry.card_json(product))
    return entry


def _add_text(entry: TantivyDocument, product: Document) -> None:
    title = indexed_text(product.title)
    other = indexed_text("\n".join(product_entry.other_main_text(product)))
    details = indexed_text("\n".join(product_entry.attribute_words(product)))
    entry.add_text("title", title)
    entry.add_text("main_text", " ".join([title] * product_entry.TITLE_TIMES + [other]))
    entry.add_text("all_text", f"{title} {other} {details}")
    entry.add_text(mentions.NAMED, indexed_text(mentions.named_text(product)))
    for thing in mentions.things_of(product):
        entry.add_text(mentions.THINGS, thing)
    entry.add_text("plain_words", title)
    if product.brand:
        entry.add_text("plain_words", indexed_text(product.brand))
    for completion in product_entry.completions(product):
        entry.add_text("completions", completion)


def _add_filters(entry: TantivyDocument, product: Document) -> None:
    for slug in {product.category, *product.categories}:
        entry.add_text("category", slug)
    if product.brand:
        entry.add_text("brand", product.brand)
    for code in codes.codes_of(product):
        entry.add_text(codes.FIELD, code)
    entry.add_unsigned("seller_id", product.seller_id)
    entry.add_unsigned("price", product.price)
    entry.add_float("rating", float(product.rating))
    entry.add_boolean("in_stock", product.in_stock)
    entry.add_text("brand_facet", product.brand or product_entry.NO_BRAND)
    entry.add_text("category_path", product_entry.category_path(product))
    entry.add_text("price_rating_bucket", price_rating_bucket(product))


def _add_sort_keys(entry: TantivyDocument, product: Document) -> None:
    entry.add_unsigned("by_price", product_entry.price_key(product))
    entry.add_unsigned("by_rating", product_entry.rating_key(product))
    entry.add_unsigned("by_standing", product_entry.standing_key(product))
    entry.add_unsigned("by_age", product_entry.age_key(product))
    entry.add_float("static_rank", product_entry.static_rank(product))


def _add_attributes(entry: TantivyDocument, product: Document) -> None:
    found = attributes.attributes_of(product)
    entry.add_json(attributes.FIELD, {attributes.path_part(name): values for name, values in found.items()})
    for name in found:
        entry.add_text(attributes.NAMES, name)
    entry.add_boolean(attributes.SAMPLE, attributes.in_sample(product))
