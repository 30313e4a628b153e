"""Requests to payments and their answers. Amounts are integers of minor units."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from mercat.ids import CaseId, CheckoutId, OrderId, PaymentId, RefundId, SellerId, UserId
from mercat.kit.refusals import Conflict, PaymentRequired

CASE_NOTE_MAX = 1_000
CaseNote = Annotated[
    str,
    Meta(min_length=1, max_length=CASE_NOTE_MAX, pattern=r"\S", extra={"words": "Say how it was resolved."}),
]


class SellerPart(Struct, frozen=True):
    """The part of a payment that is for one seller's goods, before commission."""

    seller_id: SellerId
    amount: int


class Charge(Struct, frozen=True):
    """One charge of a checkout. `amount` = the sellers' parts + shipping + tax; `user_id`: who pays, for a
    card that is kept for them works for nobody else; `again`: it may have been asked before."""

    checkout_id: CheckoutId
    order_id: OrderId
    amount: int
    currency: str
    token: str
    sellers: list[SellerPart]
    shipping: int = 0
    tax: int = 0
    user_id: UserId | None = None
    again: bool = False


class KeptCard(Struct, frozen=True):
    """A card as it is charged from now on: by which token, and whether for one purchase only."""

    token: str
    brand: str = ""
    last4: str = ""
    single_use: bool = False


class RefundRequest(Struct, frozen=True):
    """A part of an order's payment to pay back, once a reference.

    `amount` = the sellers' goods + shipping + tax - discount; with none of these given, every account gives
    its share."""

    reference: str
    amount: int
    sellers: list[SellerPart] = []
    shipping: int = 0
    tax: int = 0
    discount: int = 0


class NextAction(Struct, frozen=True):
    """What the shopper has to do before the bank pays."""

    type: str
    url: str


class Paid(Struct, frozen=True):
    """Captured; or, with a next action, waiting for the shopper."""

    payment_id: PaymentId
    next_action: NextAction | None = None


class ChallengeOutcome(Struct, frozen=True):
    """The shopper's answer to the bank."""

    outcome: Literal["approve", "fail"]


class Refund(Struct, frozen=True):
    """A part of a payment that goes back: pending, done, or failed where the bank did not take it."""

    refund_id: RefundId
    amount: int
    status: str
    reference: str = ""
    at: datetime | None = None


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


class Webhook(Struct, frozen=True):
    """A webhook as a provider sent it, byte for byte, and its signature."""

    provider: str
    body: bytes
    signature: str


class WebhookReceipt(Struct, frozen=True):
    """A webhook that was signed: the checkout it is about, and whether it was processed before."""

    provider: str
    event_id: str
    checkout_id: CheckoutId | None = None
    done: bool = False
    tries: int = 0


CaseKind = Literal[
    "charged_without_payment",
    "payment_without_charge",
    "amount_differs",
    "refund_differs",
    "authorisation_left",
    "refund_failed",
]


CaseSort = Literal["-opened", "opened", "-difference", "difference", "kind", "-kind"]
CASES_MAX = 500


class CaseCounts(Struct, frozen=True):
    open: int
    resolved: int


class ReconciliationCase(Struct, frozen=True, kw_only=True):
    """A difference between our books and the provider's, for an operator to resolve."""

    case_id: CaseId
    provider: str
    kind: CaseKind
    subject: str
    order_id: OrderId | None
    ours: int
    theirs: int
    currency: str
    detail: str
    opened_at: datetime
    seen_at: datetime
    resolved_at: datetime | None = None
    resolved_by: str = ""
    note: str = ""


class Reconciled(Struct, frozen=True):
    """The outcome of a comparison with the provider's books."""

    provider: str
    checked: int
    differences: int
    opened: int


class PaymentDeclined(PaymentRequired):
    """The bank declined the card. No money has moved; try another card."""


class PaymentUnavailable(PaymentRequired):
    """The bank could not be reached. No money has moved; try again, or another card."""


class RefundTooLarge(Conflict):
    """That is more than is left of what was paid."""
