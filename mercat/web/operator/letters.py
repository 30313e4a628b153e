"""Letters that could not be delivered, for operators: why, and sending them again."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.forms import number_in
from mercat.web.operator.orders import MAIL_NUMBER_MAX
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import PageLimit
from mercat.web.session import with_role
from mercat.web.table_query import link

_A_PAGE = 50
MailNumber = Annotated[int, Meta(ge=1, le=MAIL_NUMBER_MAX)]


class FailedLetterShown(Struct, frozen=True, kw_only=True):
    mail_id: int
    kind: str
    recipient: str
    subject: str
    at: datetime
    tries: int
    failure: str | None


class FailedLettersShown(Struct, frozen=True):
    letters: list[FailedLetterShown]
    next_cursor: int | None


class FailedLettersApi:
    """Letters that were given up."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def failed_letters(
        self, caller: Caller, limit: PageLimit = 50, cursor: MailNumber | None = None
    ) -> FailedLettersShown:
        """List letters that could not be delivered and are not tried again, the newest first."""
        mails = await self._shop.notifications.failed(cursor, limit)
        return FailedLettersShown(
            [
                FailedLetterShown(
                    mail_id=mail.mail_id,
                    kind=mail.kind,
                    recipient=mail.recipient,
                    subject=mail.subject,
                    at=mail.at,
                    tries=mail.tries,
                    failure=mail.failure,
                )
                for mail in mails
            ],
            mails[-1].mail_id if len(mails) == limit else None,
        )


API = [
    PublicRoute(
        "GET",
        "/operator/letters",
        FailedLettersApi.failed_letters,
        tag="Running the shop",
        needs="operator",
    ),
]


class FailedLettersPages:
    """The same as a table, with a button."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def letters(self, request: Request) -> Response:
        await with_role(request, "operator")
        before = number_in(request.query_params.get("before"), 0, 0, MAIL_NUMBER_MAX)
        mails = await self._shop.notifications.failed(before or None, _A_PAGE)
        more = link("/operator/letters", {}, before=mails[-1].mail_id) if len(mails) == _A_PAGE else None
        return await operator_page(
            self._pages, request, "letters", "operator_letters.html", letters=mails, more=more
        )

    async def send_again(self, request: Request) -> Response:
        await self._pages.form(request)
        await with_role(request, "operator")
        number = number_in(request.path_params["mail_id"], 0, 0, MAIL_NUMBER_MAX)
        await self._shop.notifications.send_again(number)
        return self._pages.redirect(request, "/operator/letters")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    desk = FailedLettersPages(pages, shop)
    return [
        pages.route("/operator/letters", desk.letters),
        pages.route("/operator/letters/{mail_id}/again", desk.send_again, "POST"),
    ]
