"""Everybody's orders, for operators: a table, and the same as a file."""

from typing import Any, cast, get_args

from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import OrderId
from mercat.orders import OrderStatus
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.forms import id_of
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint
from mercat.web.session import with_role
from mercat.web.table_query import TableQuery, as_csv, choice, link

_A_PAGE = 100
_EXPORT_PAGE, _EXPORT_PAGES_MAX = 1_000, 50
_ORDERS: dict[str, tuple[OrderStatus, ...]] = {"status": get_args(OrderStatus)}


class EverybodysOrdersPages:
    """Everybody's orders."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def orders(self, request: Request) -> Response:
        await with_role(request, "operator")
        chosen, before = choice(request.query_params, _ORDERS), request.query_params.get("before")
        page = await self._shop.orders.newest(
            id_of(before, OrderId) if before else None, _A_PAGE, _status(chosen)
        )
        return await operator_page(
            self._pages,
            request,
            "orders",
            "operator_orders.html",
            orders=page.orders,
            chosen=chosen,
            statuses=_ORDERS["status"],
            more=link("/operator/orders", chosen, before=page.next_cursor) if page.next_cursor else None,
            file=link("/operator/orders.csv", chosen),
        )

    async def export(self, request: Request) -> Response:
        """Export the newest orders as a CSV file: those that the table would show."""
        await with_role(request, "operator")
        chosen = choice(request.query_params, _ORDERS)
        rows, before = list[list[Any]](), None
        for _ in range(_EXPORT_PAGES_MAX):
            page = await self._shop.orders.newest(before, _EXPORT_PAGE, _status(chosen))
            for each in page.orders:
                total = rendering.decimal(each.total, each.currency)
                rows.append([each.order_id, each.created_at, each.status, total, each.currency])
            if page.next_cursor is None:
                break
            before = page.orders[-1].order_id
        return as_csv("orders.csv", ["order_id", "placed_at", "status", "total", "currency"], rows)


def _status(chosen: TableQuery) -> OrderStatus | None:
    return cast(OrderStatus | None, chosen.get("status"))  # `choice` lets only these through


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    orders = EverybodysOrdersPages(pages, shop)
    return [
        pages.route("/operator/orders", orders.orders),
        pages.route("/operator/orders.csv", orders.export),
    ]
