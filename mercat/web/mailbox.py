"""The mailbox of a shop in test mode: every letter, whether it was sent anywhere or not."""

import re

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from mercat.accounts import normal_email
from mercat.kit.refusals import NotFound
from mercat.kit.text import normal_text
from mercat.shop import Shop
from mercat.web.context import context_of
from mercat.web.pages import Pages
from mercat.web.router import Endpoint
from mercat.web.session import caller_of

_LETTERS_MAX = 100
_URL = re.compile(r"https?://[^\s<>\"]+")


class MailboxPages:
    """The letters of a shop in test mode: for operators alone where others reach the shop."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def mailbox(self, request: Request) -> Response:
        await self._check(request)
        asked = request.query_params.get("to", "")
        to = normal_email(asked) or normal_text(asked)
        mails = await self._shop.notifications.mailbox(_LETTERS_MAX, to or None)
        letters = [(mail, linked(mail.body)) for mail in mails]
        return await self._pages.page(request, "mailbox.html", letters=letters, to=to)

    async def letter(self, request: Request) -> Response:
        """Show one letter as mail programs do."""
        await self._check(request)
        number = request.path_params["mail_id"]
        mail = await self._shop.notifications.letter(int(number) if number.isdecimal() else 0)
        context_of(request).directives = {"style-src": "'unsafe-inline'"}
        return HTMLResponse(mail.html)

    async def _check(self, request: Request) -> None:
        if not self._shop.settings.is_local:
            caller = await caller_of(request)
            if caller is None or "operator" not in caller.roles:
                raise NotFound("There is nothing at this address.")


def linked(text: str) -> Markup:
    """Write a text as HTML in which its addresses are links."""
    parts: list[str] = []
    end = 0
    for url in _URL.finditer(text):
        parts.append(str(escape(text[end : url.start()])))
        parts.append(str(Markup('<a href="{0}">{0}</a>').format(url[0])))
        end = url.end()
    return Markup("".join([*parts, str(escape(text[end:]))]))


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    if not shop.settings.dev_pages:
        return []
    mailbox = MailboxPages(pages, shop)
    return [
        pages.route("/dev/mail", mailbox.mailbox),
        pages.route("/dev/mail/{mail_id}", mailbox.letter),
    ]
