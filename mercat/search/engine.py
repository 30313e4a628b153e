"""The engine-neutral protocol of search: clauses as data, and what is asked of an index.

Two engines implement it, tantivy in this process and OpenSearch over HTTP (`engines/`). Whatever decides what
is found, and in which order, stands above this line and is the same for both."""

import struct
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, Protocol

from msgspec import Raw

from mercat.events import ProductChanged
from mercat.search.product_rows import Rows

Occur = Literal["must", "should", "must_not"]
DocAddress = Any
"""The product of a hit, as the engine that found it refers to it."""
Hit = tuple[Any, DocAddress]
"""The engine's score, or the key that products are sorted by, and the product."""


class Clause:
    """A query clause as data: what it is and its arguments. Immutable; an engine may keep its own form of it
    in `native`."""

    __slots__ = ("args", "kind", "native")

    def __init__(self, kind: str, *args: Any) -> None:
        self.kind, self.args = kind, args
        self.native: Any = None

    @staticmethod
    def term(field: str, value: object) -> "Clause":
        """Match a field that has exactly this value or word."""
        return Clause("term", field, value)

    @staticmethod
    def terms(field: str, values: Sequence[Any]) -> "Clause":
        """Match a field that has any of these values."""
        return Clause("terms", field, values)

    @staticmethod
    def match_all() -> "Clause":
        """Match every product."""
        return Clause("match_all")

    @staticmethod
    def match_none() -> "Clause":
        """Match nothing."""
        return Clause("match_none")

    @staticmethod
    def fuzzy(field: str, text: str, distance: int = 1, *, prefix: bool = False) -> "Clause":
        """Match words so many edits away, a transposition being one; with `prefix`, words that begin so."""
        return Clause("fuzzy", field, text, distance, prefix)

    @staticmethod
    def phrase(field: str, words: Sequence[str]) -> "Clause":
        """Match these words in a row."""
        return Clause("phrase", field, list(words))

    @staticmethod
    def boolean(parts: Sequence[tuple[Occur, "Clause"]], minimum: int | None = None) -> "Clause":
        """Combine clauses; `minimum` is how many of the `should` ones are needed."""
        return Clause("boolean", parts, minimum)

    @staticmethod
    def all_of(clauses: Sequence["Clause"]) -> "Clause":
        """Match what every clause matches."""
        return Clause.boolean([("must", clause) for clause in clauses])

    @staticmethod
    def any_of(clauses: Sequence["Clause"], minimum: int | None = None) -> "Clause":
        """Match what at least one clause matches, or at least `minimum` of them."""
        return Clause.boolean([("should", clause) for clause in clauses], minimum)

    @staticmethod
    def dis_max(clauses: Sequence["Clause"], tie_breaker: float = 0.0) -> "Clause":
        """Score by the best clause, plus this share of the others' scores."""
        return Clause("dis_max", clauses, tie_breaker)

    @staticmethod
    def boost(clause: "Clause", factor: float) -> "Clause":
        """Multiply a clause's score."""
        return Clause("boost", clause, factor)

    @staticmethod
    def constant_score(clause: "Clause", score: float) -> "Clause":
        """Replace a clause's score; 0 makes it a filter."""
        return Clause("constant_score", clause, score)

    @staticmethod
    def between(field: str, low: float | None = None, high: float | None = None) -> "Clause":
        """Match numbers in a range, both ends included."""
        return Clause("between", field, low, high)


class SortKey(NamedTuple):
    """A numeric field to sort by."""

    field: str
    descending: bool = True


class After(NamedTuple):
    """Where a walk by a sort key goes on: behind these products, all that were shown with this key."""

    key: int
    product_ids: Sequence[int]


class TermsWanted(NamedTuple):
    """A field whose terms are to be counted: at most `size` of them; each part of the index reports its most
    frequent `per_segment`."""

    field: str
    size: int
    per_segment: int


class ExtremesWanted(NamedTuple):
    """A numeric field whose least and greatest values are wanted."""

    field: str


class IndexSearcher(Protocol):
    """One state of the index, or what is as good: all it answers within a fifth of a second is consistent."""

    @property
    def num_docs(self) -> int:
        """How many products there are."""
        ...

    def search(
        self,
        clause: Clause,
        limit: int,
        *,
        offset: int = 0,
        sort: SortKey | None = None,
        weight_by: str | None = None,
        after: After | None = None,
    ) -> list[Hit]:
        """Return the best products. Without `sort` they are ordered by score: BM25 with k1 1.2 and b 0.75,
        times log2(2 + the field `weight_by`)."""
        ...

    def count(self, clause: Clause) -> int:
        """Count the products that match."""
        ...

    def aggregate(
        self, clause: Clause, wanted: Sequence[TermsWanted | ExtremesWanted]
    ) -> list[dict[str, int]]:
        """Count the products that match by the terms of each field, the most frequent term first; of extremes
        return `min` and `max`, or nothing where no product matches."""
        ...

    def field_values(self, field: str, hits: Sequence[Hit]) -> list[Any]:
        """Read a numeric or boolean field of each hit; None where a product has none."""
        ...

    def doc_freq(self, field: str, value: object) -> int:
        """Count the products that have a term in a field."""
        ...

    def doc_freqs(self, terms: Sequence[tuple[str, str]]) -> list[int]:
        """Count the products of several terms at once."""
        ...

    def terms_with_prefix(
        self, field: str, prefix: str, within: Clause | None = None, limit: int | None = None
    ) -> list[tuple[str, int]]:
        """List the terms that begin so with how many products have each, the most frequent first."""
        ...

    def cards(self, hits: Sequence[Hit]) -> list[bytes]:
        """Read the card of each hit, as JSON; empty where the product is not for sale."""
        ...


class ProductRowReader(Protocol):
    """The ranker's rows of one index."""

    def read(self, numbers: list[int]) -> Rows:
        """Copy rows by number; one that does not exist is all zeros."""
        ...


class IndexReader(Protocol):
    """The newest state of an index that this process has noticed."""

    @property
    def rows(self) -> ProductRowReader | None:
        """The ranker's rows; None before the first search."""
        ...

    @property
    def memo(self) -> dict[str, Any]:
        """What was computed for this state of the index; another state starts with an empty one."""
        ...

    def searcher(self) -> IndexSearcher:
        """Open the newest state. Refuses with `Unavailable` where there is no index."""
        ...

    def look_again(self) -> None:
        """Look for a newer state at the next search."""
        ...


class IndexWriter(Protocol):
    """Writes one index. Not for two threads at once."""

    @property
    def path(self) -> Any:
        """Which index this is."""
        ...

    def apply(self, changes: Sequence[ProductChanged]) -> int:
        """Write what is newer than what is there and return how much that was. Readers see it on return."""
        ...

    def fill(self, changes: Sequence[ProductChanged]) -> int:
        """Write products to a new index; readers see them after `rest`."""
        ...

    def rest(self) -> None:
        """Make everything visible and give memory and threads back."""
        ...


class IndexStore(Protocol):
    """Where a shop's indexes are, one of them in use."""

    @property
    def remote(self) -> bool:
        """Whether asking means waiting for another machine."""
        ...

    def reader(self) -> IndexReader:
        """Return a reader of whichever index is in use."""
        ...

    def writer(self, path: Any, *, create: bool = False) -> IndexWriter:
        """Open an index for writing, or create it."""
        ...

    def current(self) -> Any | None:
        """Return the index in use; None where there is none of today's form."""
        ...

    def exists(self) -> bool:
        """Tell whether an index of today's form is in use."""
        ...

    def is_sound(self) -> bool:
        """Check that the index in use can be read and is undamaged."""
        ...

    def new_path(self) -> Any:
        """Return an empty place for the next index. Whatever else is there and not in use is deleted."""
        ...

    def use(self, path: Any) -> None:
        """Put an index in use in one step; the one before is deleted."""
        ...

    def drop(self) -> None:
        """Take the index out of use: the process that writes builds it anew."""
        ...


class BrokenIndex(Exception):
    """The index cannot be read or written as it stands."""


@contextmanager
def engine_errors() -> Generator[None]:
    """Turn whatever an engine raises into `BrokenIndex`: a panic of Rust is not even an Exception in
    Python."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, struct.error) as error:
        raise BrokenIndex(str(error)) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise BrokenIndex(str(error)) from error


SETTING_UP = "Search is being set up. Nothing is lost; try again shortly."


def newest_changes(changes: Sequence[ProductChanged]) -> dict[int, ProductChanged]:
    """Return the newest of the changes of each product, by its id."""
    newest: dict[int, ProductChanged] = {}
    for change in changes:
        known = newest.get(change.product_id)
        if known is None or change.version > known.version:
            newest[int(change.product_id)] = change
    return newest


def search_by_score(searcher: IndexSearcher, clause: Clause, limit: int, offset: int = 0) -> list[Hit]:
    """Search by the engine's score; where scores tie, the better rating comes first."""
    return searcher.search(clause, limit, offset=offset, weight_by="static_rank")


def product_ids(searcher: IndexSearcher, hits: Sequence[Hit]) -> list[int]:
    """Read the product id of each hit."""
    return [int(product or 0) for product in searcher.field_values("product_id", hits)]


def row_numbers(searcher: IndexSearcher, hits: Sequence[Hit]) -> list[int]:
    """Read the number of each hit's row of ranking data."""
    return [int(row or 0) for row in searcher.field_values("row", hits)]


def raw_cards(searcher: IndexSearcher, hits: Sequence[Hit]) -> list[Raw]:
    """Read the card of each hit as JSON that is spliced into an answer undecoded."""
    return [Raw(card) for card in searcher.cards(hits)]
