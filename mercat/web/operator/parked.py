"""What recovery has given up, and trying it again."""

from collections.abc import Mapping
from typing import cast, get_args

from starlette.requests import Request
from starlette.responses import Response

from mercat.checkout import Parked, ParkedKind, ParkedSort
from mercat.kit.refusals import Refusal
from mercat.shop import Shop
from mercat.web.errors import message_of
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint
from mercat.web.session import with_role
from mercat.web.table_query import AFTER, TableQuery, as_csv, choice, every, headings, link, tabs

_A_PAGE = 50
_PATH, _ALL = "/operator/parked", "all"
KINDS: dict[str, str] = {
    "buy": "Purchase",
    "cancel": "Cancellation",
    "refund": "Refund",
    "return": "Return",
    "ship": "Parcel",
}
_TABS = {kind: f"{words}s" for kind, words in KINDS.items()}
_SORTS: tuple[ParkedSort, ...] = get_args(ParkedSort)
_COLUMNS = [(name, name.capitalize()) for name in ("since", "what", "reason", "tries", "retry")]
_PARKED: dict[str, tuple[str, ...]] = {"kind": (_ALL, *KINDS), "sort": _SORTS}


class ParkedPages:
    """Purchases and cancellations that recovery has given up."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def parked(self, request: Request, refused: Refusal | None = None) -> Response:
        await with_role(request, "operator")
        query: Mapping[str, str] = request.query_params if request.method == "GET" else {}
        chosen, after = choice(query, _PARKED), choice(query, AFTER).get("after", "")
        parked = await self._parked(chosen, after, _A_PAGE)
        last = parked[-1].cursor if len(parked) == _A_PAGE else None
        counts = await self._shop.checkout.parked_counts()
        counts[_ALL] = sum(counts.values())
        return await operator_page(
            self._pages,
            request,
            "parked",
            "operator_parked.html",
            refused.status if refused else 200,
            parked=parked,
            kinds=KINDS,
            chosen=chosen,
            tabs=tabs(_PATH, chosen, "kind", {_ALL: "All", **_TABS}, counts),
            headings=headings(_PATH, chosen, _COLUMNS, _SORTS, "tries"),
            more=link(_PATH, chosen, after=last) if last else None,
            file=link("/operator/parked.csv", chosen),
            refused=message_of(refused) if refused else None,
        )

    async def export(self, request: Request) -> Response:
        """Send what is parked as a CSV file: what the table would show."""
        await with_role(request, "operator")
        chosen = choice(request.query_params, _PARKED)

        async def page(last: Parked | None, limit: int) -> list[Parked]:
            return await self._parked(chosen, last.cursor if last else "", limit)

        head = ["since", "kind", "reference", "order_id", "reason", "tries", "direction"]
        rows = (
            [each.since, each.kind, each.reference, each.order_id, each.reason, each.tries, each.direction]
            async for each in every(page)
        )
        return as_csv("parked.csv", head, rows)

    async def _parked(self, chosen: TableQuery, after: str, limit: int) -> list[Parked]:
        kind = chosen.get("kind", _ALL)
        return await self._shop.checkout.parked(
            None if kind == _ALL else cast(ParkedKind, kind),
            cast(ParkedSort, chosen.get("sort", _SORTS[0])),
            after,
            limit,
        )

    async def retry(self, request: Request) -> Response:
        form = await self._pages.form(request)
        await with_role(request, "operator")
        try:
            await self._shop.checkout.retry(form.get("reference", ""))
        except Refusal as refused:
            return await self.parked(request, refused)
        return self._pages.redirect(request, "/operator/parked")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    parked = ParkedPages(pages, shop)
    return [
        pages.route("/operator/parked", parked.parked),
        pages.route("/operator/parked.csv", parked.export),
        pages.route("/operator/parked", parked.retry, "POST"),
    ]
