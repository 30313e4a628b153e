"""A list of products as a file, each row by itself."""

from hashlib import blake2b
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import SellerId
from mercat.kit.refusals import Refusal
from mercat.shop import Shop
from mercat.web.desk.listing_form import read_row, rows_of
from mercat.web.desk.page import desk_page, seller_of
from mercat.web.errors import message_of
from mercat.web.forms import FormErrors
from mercat.web.pages import Pages
from mercat.web.router import Endpoint


class UploadError(NamedTuple):
    row: int
    column: str
    words: str


class UploadReport(NamedTuple):
    """What became of an uploaded list."""

    rows: int
    taken: int
    bad: list[UploadError]
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
        trouble_ = message_of(refused) if refused else None
        return await desk_page(
            self._pages, self._shop, request, "upload", seller_id, status, report=report, refused=trouble_
        )

    async def take_list(self, request: Request) -> Response:
        _, seller_id = await seller_of(request)
        content = await self._pages.upload(request, "file")
        try:
            rows = rows_of(content)
        except Refusal as refused:
            return await self.upload(request, refused=refused)
        file = blake2b(content, digest_size=16).hexdigest()
        return await self.upload(request, await self._take(seller_id, rows, file))

    async def _take(self, seller_id: SellerId, rows: list[dict[str, str]], file: str) -> UploadReport:
        """List each row by itself: a bad one never keeps a good one out. The same file again, after a crash
        perhaps, lists what it has not listed yet."""
        taken, bad = 0, list[UploadError]()
        for number, row in enumerate(rows, start=2):  # the heading is row 1
            asked = read_row(row, self._currency)
            if isinstance(asked, FormErrors):
                bad += [UploadError(number, column, words) for column, words in asked.items()]
                continue
            try:
                await self._shop.sellers.list_product(seller_id, *asked, f"upload/{file}/{number}")
                taken += 1
            except Refusal as refusal:
                pointer = str(refusal.facts.get("pointer", "")).strip("/")
                bad.append(UploadError(number, pointer, str(refusal)))
        return UploadReport(len(rows), taken, bad)


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    upload = UploadPages(pages, shop)
    return [
        pages.route("/desk/upload", upload.upload),
        pages.route("/desk/upload", upload.take_list, "POST"),
    ]
