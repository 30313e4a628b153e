"""Returns for operators: all of them, and those that sellers have left lying, which operators decide."""

from typing import Literal

from mercat.ids import ReturnId
from mercat.kit.rpc import Caller
from mercat.returns import ReturnStatus
from mercat.shop import Shop
from mercat.web.desk.returns import (
    ReceiveReturn,
    RefuseReturn,
    ReturnDeskPages,
    ReturnListShown,
    received_goods,
    return_list_shown,
    return_pages,
)
from mercat.web.pages import Pages
from mercat.web.returns import ReturnShown, return_shown
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import PageLimit


class OperatorReturnsApi:
    """Everybody's returns."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def operator_returns(
        self,
        caller: Caller,
        status: ReturnStatus | Literal["left_lying"] | None = None,
        limit: PageLimit = 20,
        cursor: ReturnId | None = None,
    ) -> ReturnListShown:
        """List everybody's returns, newest first; `left_lying` are those that no seller has decided for too
        long."""
        if status == "left_lying":
            return return_list_shown(await self._shop.returns.left_lying(cursor, limit))
        return return_list_shown(await self._shop.returns.newest(None, status, cursor, limit))

    async def operator_approves_return(self, caller: Caller, return_id: ReturnId) -> ReturnShown:
        """Let goods come back, in place of their seller."""
        return return_shown(await self._shop.returns.approve(return_id))

    async def operator_refuses_return(
        self, caller: Caller, return_id: ReturnId, refusal: RefuseReturn
    ) -> ReturnShown:
        """Refuse a return that was not approved, in place of its seller, and say why."""
        return return_shown(await self._shop.checkout.refuse_return(return_id, refusal.reason))

    async def operator_receives_return(
        self, caller: Caller, return_id: ReturnId, goods: ReceiveReturn
    ) -> ReturnShown:
        """Decide what came back, in place of a seller who does not say: money and stock move just so."""
        back = await self._shop.returns.one(return_id)
        received = received_goods(goods, back.currency)
        return return_shown(await self._shop.checkout.receive_return(return_id, received))


API = [
    PublicRoute(
        "GET", "/operator/returns", OperatorReturnsApi.operator_returns, tag="Selling", needs="operator"
    ),
    PublicRoute(
        "POST",
        "/operator/returns/{return_id}/approve",
        OperatorReturnsApi.operator_approves_return,
        tag="Selling",
        needs="operator",
        status=200,
        refuses=["return_moved_on"],
    ),
    PublicRoute(
        "POST",
        "/operator/returns/{return_id}/refuse",
        OperatorReturnsApi.operator_refuses_return,
        tag="Selling",
        needs="operator",
        status=200,
        refuses=["return_moved_on"],
    ),
    PublicRoute(
        "POST",
        "/operator/returns/{return_id}/receive",
        OperatorReturnsApi.operator_receives_return,
        tag="Selling",
        needs="operator",
        status=200,
        refuses=["return_moved_on"],
    ),
]


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    return return_pages(pages, ReturnDeskPages(pages, shop, operator=True), "/operator/returns")
