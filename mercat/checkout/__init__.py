"""Checkout: the saga that turns a cart into a paid order, or into a refusal that moved nothing.

It reads like the business: begin, reserve, charge, create, confirm, finish. Every step is idempotent by
checkout id, so a crash is recovered by running it again from the top; `saga.py` says the rules that make this
true. `service.py` lists the parts: preparation, purchases, recovery, aftercare, goods that come back,
webhooks, parked work.
"""

from mercat.checkout.api import API
from mercat.checkout.messages import (
    FLASH_PASS_MAX,
    AdmissionGate,
    AskReturn,
    Buy,
    BuyWith,
    CancelAsk,
    CartEmpty,
    CheckoutAnswer,
    CheckoutHealth,
    CheckoutInProgress,
    CheckoutOutcome,
    Confirmed,
    MethodCode,
    NewCard,
    NotAdmitted,
    OrderLines,
    Parked,
    Party,
    Pending,
    Present,
    PriceChanged,
    Quote,
    QuoteId,
    Reason,
    RefundAsk,
    Refused,
    Returnable,
    Ship,
    Staff,
    Track,
    Why,
)
from mercat.checkout.neighbours import Neighbours
from mercat.checkout.service import Checkout
from mercat.kit.refusals import KeyReused

__all__ = [
    "API",
    "FLASH_PASS_MAX",
    "AdmissionGate",
    "AskReturn",
    "Buy",
    "BuyWith",
    "CancelAsk",
    "CartEmpty",
    "Checkout",
    "CheckoutAnswer",
    "CheckoutHealth",
    "CheckoutInProgress",
    "CheckoutOutcome",
    "Confirmed",
    "KeyReused",
    "MethodCode",
    "Neighbours",
    "NewCard",
    "NotAdmitted",
    "OrderLines",
    "Parked",
    "Party",
    "Pending",
    "Present",
    "PriceChanged",
    "Quote",
    "QuoteId",
    "Reason",
    "RefundAsk",
    "Refused",
    "Returnable",
    "Ship",
    "Staff",
    "Track",
    "Why",
]
