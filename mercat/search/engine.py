"""What search asks of an engine: clauses, as data, and a few questions. Two engines answer them, tantivy in
this process (`embedded.py`) and OpenSearch (`opensearch.py`); everything that decides what is found, and in
which order, stands above this line and is the same for both.

Clauses have tantivy's names and arguments. One never changes: tantivy's own form of it is kept in `made`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tantivy import FieldType, Occur, Order

from mercat.events import ProductChanged
from mercat.search.product_rows import Rows

__all__ = [
    "DocAddress",
    "FieldType",
    "Found",
    "Occur",
    "Order",
    "Place",
    "Query",
    "Reader",
    "Searcher",
    "Writer",
]

DocAddress = Any
"""Which product, as the engine that found it says."""


class Query:
    __slots__ = ("args", "kind", "made")

    def __init__(self, kind: str, *args: Any) -> None:
        self.kind, self.args = kind, args
        self.made: Any = None

    @staticmethod
    def term_query(field: str, value: object) -> "Query":
        return Query("term", field, value)

    @staticmethod
    def term_set_query(field: str, values: Sequence[Any]) -> "Query":
        return Query("terms", field, values)

    @staticmethod
    def all_query() -> "Query":
        return Query("all")

    @staticmethod
    def empty_query() -> "Query":
        return Query("none")

    @staticmethod
    def fuzzy_term_query(field: str, text: str, distance: int = 1, prefix: bool = False) -> "Query":
        """Words so many letters away, neighbours that changed places being one; or words that begin so."""
        return Query("fuzzy", field, text, distance, prefix)

    @staticmethod
    def phrase_query(field: str, words: list[Any], slop: int = 0) -> "Query":
        return Query("phrase", field, words, slop)

    @staticmethod
    def boolean_query(parts: Sequence[tuple[Occur, "Query"]], least: int | None = None) -> "Query":
        """`least`: so many of those that should."""
        return Query("bool", parts, least)

    @staticmethod
    def disjunction_max_query(parts: Sequence["Query"], others: float | None = None) -> "Query":
        """The best part's score, and of the others' this share."""
        return Query("best", parts, others)

    @staticmethod
    def boost_query(query: "Query", boost: float) -> "Query":
        return Query("boost", query, boost)

    @staticmethod
    def const_score_query(query: "Query", score: float) -> "Query":
        return Query("const", query, score)

    @staticmethod
    def range_query(field: str, kind: FieldType, low: Any | None = None, high: Any | None = None) -> "Query":
        """Both ends included."""
        return Query("range", field, kind, low, high)


@dataclass(slots=True)
class Found:
    """The best, each with its score or the value it is sorted by; and how many there are, where that was
    asked."""

    hits: list[tuple[Any, DocAddress]]
    count: int | None


class Searcher(Protocol):
    """One state of the index, or what is as good: what it says within a fifth of a second fits together."""

    @property
    def num_docs(self) -> int: ...

    def search(
        self,
        query: Query,
        limit: int = 10,
        count: bool = True,
        order_by_field: str | None = None,
        offset: int = 0,
        order: Order = Order.Desc,
        weight_by_field: str | None = None,
        after: tuple[int, Sequence[int]] | None = None,
    ) -> Found:
        """By score, BM25 with k1 1.2 and b 0.75, times log2(2 + the field to weigh by); or by a field.
        `after`: the value of the last one shown, and all products of that value that were."""
        ...

    def count(self, query: Query) -> int: ...

    def aggregate(self, query: Query, agg: dict[str, Any]) -> dict[str, Any]:
        """As both engines take and answer it."""
        ...

    def fast_field_values(self, field_name: str, doc_addresses: Sequence[DocAddress]) -> list[Any]: ...

    def doc_freq(self, field_name: str, field_value: Any) -> int: ...

    def doc_freqs(self, terms: Sequence[tuple[str, str]]) -> list[int]:
        """Of several terms at once."""
        ...

    def terms_with_prefix(
        self, field_name: str, prefix: str, filter_query: Query | None = None, limit: int | None = None
    ) -> list[tuple[str, int]]:
        """The commonest first."""
        ...

    def cards(self, doc_addresses: Sequence[DocAddress]) -> list[bytes]:
        """What is shown of each; nothing where it is not for sale."""
        ...


class Pages(Protocol):
    def read(self, numbers: list[int]) -> Rows:
        """Rows of facts by number, for the asker to write in; empty ones where there is none."""
        ...


class Reader(Protocol):
    @property
    def pages(self) -> Pages | None: ...

    @property
    def counted(self) -> dict[str, Any]:
        """For what was counted of all products, while they are what they are."""
        ...

    def searcher(self) -> Searcher: ...

    def look_again(self) -> None: ...


class Writer(Protocol):
    """Writes one index. Not for two threads at once."""

    @property
    def path(self) -> Any: ...

    def apply(self, changes: Sequence[ProductChanged]) -> int:
        """Writes what is newer than what is there; readers see it when it returns."""
        ...

    def fill(self, changes: Sequence[ProductChanged]) -> int:
        """Puts products into a new index; they are seen after `rest`."""
        ...

    def rest(self) -> None: ...


class Place(Protocol):
    """Where the indexes of a shop are, one of them in use."""

    @property
    def far(self) -> bool:
        """Whether asking means waiting for another machine."""
        ...

    def reader(self) -> Reader: ...

    def writer(self, path: Any, *, create: bool = False) -> Writer: ...

    def current(self) -> Any | None:
        """The index in use; None where there is none of today's form."""
        ...

    def there(self) -> bool: ...

    def sound(self) -> bool: ...

    def beside(self) -> Any:
        """A new place for the next index; what else lies there and is not in use goes."""
        ...

    def use(self, path: Any) -> None: ...

    def drop(self) -> None:
        """Gives the index up: the process that writes builds it anew."""
        ...
