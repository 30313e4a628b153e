"""A list of products as a file, each row by itself."""

from hashlib import blake2b
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from mercat.kit.refusals import Refusal
from mercat.sellers import ListingRow, RefusedRow
from mercat.shop import Shop
from mercat.web.desk.listing_form import read_row, rows_of
from mercat.web.desk.page import desk_page, seller_of
from mercat.web.errors import message_of
from mercat.web.forms import FormErrors
from mercat.web.pages import Pages
from mercat.web.router import Endpoint


class UploadReport(NamedTuple):
    """What became of an uploaded list."""

    rows: int
    taken: int
    bad: list[RefusedRow]
    """Each with its row and column; a row may have several."""


class UploadPages:
    """Uploading a list of products."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        self._currency = shop.settings.currency

    async def upload(
        self, request: Request, report: UploadReport | None = None, refused: Refusal | None = None
    ) -> Response:
        _, seller_id = await seller_of(request)
        status = refused.status if refused else (422 if report and report.bad else 200)
        message = message_of(refused) if refused else None
        return await desk_page(
            self._pages, self._shop, request, "upload", seller_id, status, report=report, refused=message
        )

    async def take_list(self, request: Request) -> Response:
        _, seller_id = await seller_of(request)
        content = await self._pages.upload(request, "file")
        try:
            rows = rows_of(content)
        except Refusal as refused:
            return await self.upload(request, refused=refused)
        good, bad = _read(rows, self._currency)
        key = f"upload/{blake2b(content, digest_size=16).hexdigest()}"
        refused_rows = await self._shop.sellers.list_each(seller_id, good, key)
        bad = sorted([*bad, *refused_rows], key=lambda each: each.row)
        return await self.upload(request, UploadReport(len(rows), len(good) - len(refused_rows), bad))


def _read(rows: list[dict[str, str]], currency: str) -> tuple[list[ListingRow], list[RefusedRow]]:
    """Read the rows of a file: those that can be listed, and what is wrong with the others."""
    good, bad = list[ListingRow](), list[RefusedRow]()
    for number, row in enumerate(rows, start=2):  # the heading is row 1
        asked = read_row(row, currency)
        if isinstance(asked, FormErrors):
            bad += [RefusedRow(number, column, words) for column, words in asked.items()]
        else:
            good.append(ListingRow(number, *asked))
    return good, bad


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    upload = UploadPages(pages, shop)
    return [
        pages.route("/desk/upload", upload.upload),
        pages.route("/desk/upload", upload.take_list, "POST"),
    ]
