"""Payments: charges, voids and refunds at a provider, and the double-entry ledger behind every cent.

A charge is asked for by checkout id: asked twice it is one charge with one answer. After a timeout the
provider is asked what happened before anything else is done.
"""

from mercat.payments.api import API
from mercat.payments.messages import (
    Charge,
    NextAction,
    Outcome,
    Paid,
    Payment,
    PaymentDeclined,
    PaymentUnavailable,
    Refund,
    SellerPart,
)
from mercat.payments.sandbox import TOKENS, Sandbox
from mercat.payments.service import Payments

__all__ = [
    "API",
    "TOKENS",
    "Charge",
    "NextAction",
    "Outcome",
    "Paid",
    "Payment",
    "PaymentDeclined",
    "PaymentUnavailable",
    "Payments",
    "Refund",
    "Sandbox",
    "SellerPart",
]
