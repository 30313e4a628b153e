"""What all pages of the seller's desk share."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import SellerId
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.pages import Pages
from mercat.web.session import with_role

DONE = {
    "price": "The new price stands, everywhere.",
    "stock": "The stock is set.",
    "mark": "The mark is set.",
    "listed": "It is on sale. Shoppers find it within a second.",
    "listing": "Saved. Shoppers see it so within a second.",
    "status": "Done: shoppers see it so from now on.",
    "payout_account": "Saved. The next payout goes there.",
    "invoices": "Saved. It stands on the invoices that are issued from now on.",
    "shipped": "Shipped. The buyer sees the parcel and its tracking number.",
    "marked": "Marked. The buyer sees it on the order.",
    "return_approved": "Approved. The buyer knows, and sends it.",
    "return_refused": "Refused. The buyer reads why.",
    "return_received": "Received. What came is paid back, and what is as new is on the shelf.",
}
A_PAGE = 50


async def seller_of(request: Request) -> tuple[Caller, SellerId]:
    """Say who asks, and as which seller."""
    caller = await with_role(request, "seller")
    assert caller.seller_id is not None
    return caller, caller.seller_id


async def departments(pages: Pages) -> list[tuple[str, str]]:
    """Slug and name of every category, to choose from."""
    categories = (await pages.categories.all()).values()
    return sorted(((each.slug, each.name) for each in categories), key=lambda each: each[1])


async def desk_page(
    pages: Pages, shop: Shop, request: Request, here: str, seller_id: SellerId, status: int, /, **shown: Any
) -> Response:
    """Send a page of a seller's desk; `here` is its place in the desk's menu, and names its `template` where
    none is given."""
    seller = await shop.sellers.seller(seller_id)
    base: dict[str, Any] = {"desk": "seller", "desk_name": seller.name, "here": here, "seller": seller}
    name = shown.pop("template", f"desk_{here}.html")
    return await pages.page(request, name, status, **(base | shown))
