"""The shop's delivery: zones, rates and days of packing, on the operator's desk."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mercat.fulfilment import SHOP
from mercat.ids import SellerId
from mercat.shop import Shop
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint
from mercat.web.session import with_role
from mercat.web.shipping_editor import ShippingEditor


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    async def whose(request: Request) -> SellerId:
        await with_role(request, "operator")
        return SHOP

    async def send(request: Request, name: str, status: int, _: SellerId, **shown: Any) -> Response:
        return await operator_page(pages, request, "shipping", f"{name}.html", status, **shown)

    return ShippingEditor(pages, shop, "/operator/shipping", whose, send).routes()
