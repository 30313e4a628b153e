"""The mailbox of the demonstration: mail that was not sent anywhere."""

from starlette.requests import Request
from starlette.responses import Response

from mercat.shop import Shop
from mercat.web.pages import Pages
from mercat.web.router import Endpoint


class MailboxPages:
    """Mail of the demonstration."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def mailbox(self, request: Request) -> Response:
        mails = await self._shop.notifications.mailbox(100)
        return await self._pages.page(request, "mailbox.html", mails=mails)


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    mailbox = MailboxPages(pages, shop)
    return [
        pages.route("/dev/mail", mailbox.mailbox),
    ]
