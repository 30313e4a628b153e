"""Units that sellers and operators cancel, and money that they give back without goods."""

from typing import Literal

from msgspec import Raw, Struct, field, structs
from starlette.requests import Request

from mercat import money
from mercat.checkout import CancelAsk, OrderLines, Reason, RefundAsk, Staff, Why
from mercat.ids import OrderId
from mercat.kit.refusals import BadRequest, Invalid
from mercat.kit.rpc import Caller
from mercat.orders import ExceedsCaptured
from mercat.payments import Refund
from mercat.shop import Shop
from mercat.web.desk.products import seller_id_of
from mercat.web.idempotency import key_of
from mercat.web.order_shown import (
    OrderShown,
    RefundShown,
    SellerPartShown,
    order_shown,
    refund_parts,
    refund_shown,
    seller_part_shown,
)
from mercat.web.router import PublicRoute
from mercat.web.schemas import Price, is_given, minor


class CancelBody(Struct, frozen=True):
    """Units that are not to be sent; none named: all that is left."""

    lines: OrderLines | None = None
    reason: Why = ""


class RefundBody(Struct, frozen=True, kw_only=True):
    """Units, or an amount: one of both."""

    lines: OrderLines | None = None
    amount: Price = field(default_factory=lambda: Raw(b"null"))
    reason: Reason
    to: Literal["store_credit"] | None = None
    """Where it goes: back to where the payment came from, or to the person's store credit."""


WHOLE = CancelBody()


def cancel_ask(request: Request, body: CancelBody) -> CancelAsk:
    """Make what checkout is asked of a request to cancel."""
    return CancelAsk(body.lines, body.reason, key_of(request) or "")


class MoneyBackApi:
    """What sellers and operators cancel and refund."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def seller_cancels(
        self, request: Request, caller: Caller, order_id: OrderId, body: CancelBody = WHOLE
    ) -> SellerPartShown:
        """Cancel units of one's own part that have not shipped; all of them where none are named. The shopper
        gets back what they paid, and the delivery once nothing of the part will ship."""
        seller_id = seller_id_of(caller)
        order = await self._shop.checkout.cancel(caller, order_id, cancel_ask(request, body), "seller")
        return await seller_part_shown(self._shop, order, seller_id)

    async def operator_cancels(
        self, request: Request, caller: Caller, order_id: OrderId, body: CancelBody = WHOLE
    ) -> OrderShown:
        """Cancel units of anybody's order that have not shipped; all of them where none are named."""
        order = await self._shop.checkout.cancel(caller, order_id, cancel_ask(request, body), "operator")
        return await order_shown(self._shop, order)

    async def seller_refunds(
        self, request: Request, caller: Caller, order_id: OrderId, body: RefundBody
    ) -> RefundShown:
        """Give money back for one's own part without goods: of units, or an amount, at most what the part
        got. Once an Idempotency-Key."""
        return await self._refund(request, caller, order_id, body, "seller")

    async def operator_refunds(
        self, request: Request, caller: Caller, order_id: OrderId, body: RefundBody
    ) -> RefundShown:
        """Give money back without goods: of units, or an amount, at most what was captured and not refunded.
        Once an Idempotency-Key."""
        return await self._refund(request, caller, order_id, body, "operator")

    async def _refund(
        self, request: Request, caller: Caller, order_id: OrderId, body: RefundBody, by: Staff
    ) -> RefundShown:
        key, currency = key_of(request), self._shop.settings.currency
        if key is None:
            raise BadRequest("Send an Idempotency-Key of your own making: the same one when you try again.")
        by_amount = is_given(body.amount)
        if by_amount == bool(body.lines):
            raise Invalid("Say either which units, or an amount.", pointer="/amount")
        amount = minor(body.amount, currency, "/amount") if by_amount else None
        if amount == 0:
            raise Invalid("A refund is more than nothing.", pointer="/amount")
        ask = RefundAsk(
            lines=body.lines,
            amount=amount,
            reason=body.reason,
            once=key,
            to_store_credit=body.to == "store_credit",
        )
        try:
            refund = await self._shop.checkout.refund(caller, order_id, ask, by)
        except ExceedsCaptured as exceeds:
            left = exceeds.facts.get("left")
            facts = exceeds.facts if left is None else exceeds.facts | {"left": money.shown(left, currency)}
            raise ExceedsCaptured(str(exceeds), **facts) from None
        return await self._whole(order_id, refund)

    async def _whole(self, order_id: OrderId, refund: Refund) -> RefundShown:
        """Show a refund as one; where it went to several payments, by the first of them."""
        payments = await self._shop.payments.of_order(order_id)
        shown = [each for payment in payments for each in refund_parts(payment)]
        parts = [each for each in shown if each.refund_id == refund.refund_id]
        whole = refund_shown(refund, self._shop.settings.currency)
        if not parts:
            return whole
        payment_id = parts[0].payment_id if len(parts) == 1 else None
        return structs.replace(whole, to=parts[0].to, at=parts[0].at, payment_id=payment_id)


API = [
    PublicRoute(
        "POST",
        "/seller/orders/{order_id}/cancel",
        MoneyBackApi.seller_cancels,
        scopes=["orders:write"],
        tag="Selling",
        needs="seller",
        status=200,
        refuses=["not_cancellable"],
    ),
    PublicRoute(
        "POST",
        "/operator/orders/{order_id}/cancel",
        MoneyBackApi.operator_cancels,
        tag="Running the shop",
        needs="operator",
        status=200,
        refuses=["not_cancellable"],
    ),
    PublicRoute(
        "POST",
        "/seller/orders/{order_id}/refunds",
        MoneyBackApi.seller_refunds,
        scopes=["orders:write"],
        tag="Selling",
        needs="seller",
        keyed=True,
        refuses=["bad_request", "exceeds_captured", "gift_card_spent", "key_reused", "no_account"],
    ),
    PublicRoute(
        "POST",
        "/operator/orders/{order_id}/refunds",
        MoneyBackApi.operator_refunds,
        tag="Running the shop",
        needs="operator",
        keyed=True,
        refuses=["bad_request", "exceeds_captured", "gift_card_spent", "key_reused", "no_account"],
    ),
]
