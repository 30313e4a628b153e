"""What payments are asked and what they answer. Amounts are integers of minor units."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from mercat.ids import CheckoutId, OrderId, PaymentId, RefundId, SellerId
from mercat.kit.refusals import Refusal


class SellerPart(Struct, frozen=True):
    """What of a payment is for one seller's goods, before commission."""

    seller_id: SellerId
    amount: int


class Charge(Struct, frozen=True):
    """One charge of a checkout. `amount` = the sellers' parts + shipping + tax."""

    checkout_id: CheckoutId
    order_id: OrderId
    amount: int
    currency: str
    token: str
    sellers: list[SellerPart]
    shipping: int = 0
    tax: int = 0


class NextAction(Struct, frozen=True):
    """What the shopper has to do before the bank pays."""

    type: str
    url: str


class Paid(Struct, frozen=True):
    """Captured; or, with a next action, waiting for the shopper."""

    payment_id: PaymentId
    next_action: NextAction | None = None


class Outcome(Struct, frozen=True):
    """What the shopper told the bank."""

    outcome: Literal["approve", "fail"]


class Refund(Struct, frozen=True):
    refund_id: RefundId
    amount: int
    status: str


class Payment(Struct, frozen=True):
    payment_id: PaymentId
    status: str
    amount: int
    refunded: int
    currency: str
    at: datetime
    refunds: list[Refund]


class Balance(Struct, frozen=True):
    """One line of the trial balance; debits are positive."""

    account: str
    currency: str
    balance: int
    postings: int


class PaymentDeclined(Refusal):
    """The bank declined the card. No money has moved; try another card."""

    status = 402


class PaymentUnavailable(Refusal):
    """The bank could not be reached. No money has moved; try again, or another card."""

    status = 402


class RefundTooLarge(Refusal):
    """That is more than is left of what was paid."""

    status = 409
