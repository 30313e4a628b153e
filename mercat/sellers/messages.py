"""Requests to sellers and their answers."""

from datetime import datetime
from typing import Annotated, Literal
from zlib import crc32

from msgspec import Meta, Struct

from mercat.catalog import Listing, PriceEdit, UndoCounts
from mercat.ids import ImportId, SellerId, UserId
from mercat.inventory import Stock
from mercat.kit.refusals import Conflict
from mercat.kit.text import SEEN_LINE, SEEN_PROSE

SELLER_NAME_MAX = 100
SellerName = Annotated[str, Meta(min_length=1, max_length=SELLER_NAME_MAX, pattern=SEEN_LINE)]
REASON_MAX = 500
FILE_NAME_MAX = 200
PROBLEMS_MAX = 1_000
"""Of one file that are kept; the others are only counted."""


SuspensionReason = Annotated[str, Meta(min_length=1, max_length=REASON_MAX, pattern=SEEN_PROSE)]
SellerStatus = Literal["pending", "active", "suspended"]


class Seller(Struct, frozen=True):
    """Who sells here. One that nobody has is the operators' to act for; `own`: the shop's."""

    seller_id: SellerId
    user_id: UserId | None
    name: str
    status: SellerStatus
    since: datetime
    reason: str = ""
    own: bool = False
    version: int = 0


class NewImport(Struct, frozen=True):
    """A file of products that a seller sends. `format`: of its rows, where it is not to be guessed."""

    file: Annotated[str, Meta(max_length=FILE_NAME_MAX)]
    content: bytes
    format: str = ""
    dry_run: bool = False


PRICE_EDIT = "prices"
"""The format of a price edit among the imports: no file has it."""
PREVIEW_MARK_MAX = 64
ImportKey = Annotated[str, Meta(max_length=300)]
"""Of the caller, a seller and a request: whoever sends it again means the same."""


class NewPriceEdit(Struct, frozen=True, kw_only=True):
    """Prices of many offers that a seller changes at once, as they saw them beforehand: `seen` is the mark of
    that preview. `name` is what the edit is called among their files."""

    edit: PriceEdit
    seen: Annotated[str, Meta(max_length=PREVIEW_MARK_MAX)]
    name: Annotated[str, Meta(max_length=FILE_NAME_MAX)]


class ImportProblem(Struct, frozen=True):
    """What is wrong with a row of a file: `row` is its line, where the heading is line 1."""

    row: int
    column: str
    code: str
    detail: str


class ImportCounts(Struct, frozen=True, kw_only=True):
    """What became of the rows of a file, as far as it was read (in bytes of it)."""

    read: int = 0
    rows: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    unused_columns: list[str] = []
    remarks: list[str] = []


class FileImport(Struct, frozen=True, kw_only=True):
    """A file that a seller sent, how far it is, and what is wrong with it."""

    import_id: ImportId
    file: str
    format: str
    dry_run: bool
    size: int
    status: str
    detail: str
    counts: ImportCounts
    problems: list[ImportProblem]
    undone: UndoCounts | None
    created_at: datetime
    finished_at: datetime | None


class TooManyImports(Conflict):
    """Five files of yours wait already. Send the next when one of them is done."""


class NotUndoable(Conflict):
    """This import cannot be put back."""


class SellerListing(Struct, frozen=True):
    """A seller's product as it stands, with the shelves of its offers."""

    listing: Listing
    stock: list[Stock]

    @property
    def mark(self) -> str:
        """Another where the listing is another, or where what can be sold has changed."""
        shelves = sorted((each.offer_id, each.version) for each in self.stock)
        return f"{self.listing.mark}-{crc32(repr(shelves).encode()):08x}"


class NameTaken(Conflict):
    """Another seller has this name already, or one that looks like it."""


class SellerHasPeople(Conflict):
    """Somebody sells under this name already."""


class AlreadySeller(Conflict):
    """This person sells under another name already."""
