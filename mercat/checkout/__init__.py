"""Checkout: the saga that turns a cart into a paid order, or into a refusal that moved nothing.

It reads like the business: begin, reserve, charge, create, confirm, finish. Every step is idempotent by
checkout id, so a crash is recovered by running it again from the top; `saga.py` says the rules that make this
true.
"""

from mercat.checkout.api import API
from mercat.checkout.messages import (
    Buy,
    CartEmpty,
    CheckoutInProgress,
    Gate,
    Health,
    KeyReused,
    NotAdmitted,
    Parked,
    PriceChanged,
    Quote,
    Return,
    Returned,
    Said,
    Ship,
    ShippedLine,
    Track,
)
from mercat.checkout.service import Checkout

__all__ = [
    "API",
    "Buy",
    "CartEmpty",
    "Checkout",
    "CheckoutInProgress",
    "Gate",
    "Health",
    "KeyReused",
    "NotAdmitted",
    "Parked",
    "PriceChanged",
    "Quote",
    "Return",
    "Returned",
    "Said",
    "Ship",
    "ShippedLine",
    "Track",
]
