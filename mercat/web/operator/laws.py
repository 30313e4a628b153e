"""Whether the laws of the shop hold."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint
from mercat.web.session import with_role


class LawResult(Protocol):
    """What the audit says of a law."""

    @property
    def law(self) -> str: ...
    @property
    def checked(self) -> int: ...
    @property
    def violations(self) -> int: ...


Audit = Callable[[], Awaitable[Sequence[LawResult]]]


class LawPages:
    """Whether the laws hold, when an operator asks."""

    def __init__(self, pages: Pages, audit: Audit) -> None:
        self._pages = pages
        self._audit = audit

    async def laws(self, request: Request) -> Response:
        return await operator_page(self._pages, request, "laws", "operator_laws.html", laws=None, broken=0)

    async def check_laws(self, request: Request) -> Response:
        await self._pages.form(request)
        await with_role(request, "operator")
        found = await self._audit()
        broken = sum(each.violations for each in found)
        return await operator_page(
            self._pages, request, "laws", "operator_laws.html", laws=found, broken=broken
        )


def page_routes(pages: Pages, audit: Audit) -> list[Endpoint]:
    laws = LawPages(pages, audit)
    return [
        pages.route("/operator/laws", laws.laws),
        pages.route("/operator/laws", laws.check_laws, "POST"),
    ]
