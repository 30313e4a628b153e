"""A seller's own delivery: zones, rates and days of packing, on their desk."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import SellerId
from mercat.shop import Shop
from mercat.web.desk.page import seller_of
from mercat.web.pages import Pages
from mercat.web.router import Endpoint
from mercat.web.shipping_editor import ShippingEditor


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    async def whose(request: Request) -> SellerId:
        _, seller_id = await seller_of(request)
        return seller_id

    async def send(request: Request, name: str, status: int, seller_id: SellerId, **shown: Any) -> Response:
        seller = await shop.sellers.seller(seller_id)
        base: dict[str, Any] = {
            "desk": "seller",
            "desk_name": seller.name,
            "here": "shipping",
            "seller": seller,
        }
        return await pages.page(request, f"{name}.html", status, **(base | shown))

    return ShippingEditor(pages, shop, "/desk/shipping", whose, send).routes()
