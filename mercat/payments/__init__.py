"""Payments: charges, voids and refunds at a provider, and the double-entry ledger behind every cent.

A charge is asked for by checkout id: asked twice it is one charge with one answer. After a timeout the
provider is asked what happened before anything else is done.
"""

import asyncpg

from mercat.payments.api import API
from mercat.payments.messages import (
    Back,
    Case,
    Charge,
    Heard,
    KeptCard,
    Letter,
    NextAction,
    Outcome,
    Paid,
    Payment,
    PaymentDeclined,
    PaymentUnavailable,
    Reconciled,
    Refund,
    SellerPart,
)
from mercat.payments.provider import BadSignature, Provider
from mercat.payments.providers.sandbox.adapter import TOKENS, Sandbox
from mercat.payments.service import Payments
from mercat.settings import Settings

__all__ = [
    "API",
    "TOKENS",
    "Back",
    "BadSignature",
    "Case",
    "Charge",
    "Heard",
    "KeptCard",
    "Letter",
    "NextAction",
    "Outcome",
    "Paid",
    "Payment",
    "PaymentDeclined",
    "PaymentUnavailable",
    "Payments",
    "Provider",
    "Reconciled",
    "Refund",
    "Sandbox",
    "SellerPart",
    "provider_of",
]


def provider_of(settings: Settings, db: asyncpg.Pool) -> Provider:
    """The provider that the settings name. A library that is not used is not loaded."""
    if settings.payment_provider == "stripe":
        from mercat.payments.providers.stripe.adapter import Stripe

        return Stripe(settings)
    secret = settings.key("sandbox notices")
    return Sandbox(db, settings.sandbox_hang_s, settings.provider_timeout_s, secret)
