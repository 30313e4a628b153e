"""Payments: charges, voids and refunds at a provider, and the double-entry ledger behind every cent.

A charge is asked for by checkout id: asked twice it is one charge with one answer. After a timeout the
provider is asked what happened before anything else is done. Others import from here only.
"""

from mercat.payments.api import API
from mercat.payments.messages import (
    CaseKind,
    CaseNote,
    CaseSort,
    ChallengeOutcome,
    Charge,
    KeptCard,
    NextAction,
    Paid,
    Payment,
    PaymentDeclined,
    PaymentUnavailable,
    Reconciled,
    ReconciliationCase,
    Refund,
    RefundRequest,
    SellerPart,
    Webhook,
    WebhookReceipt,
)
from mercat.payments.provider import BadSignature, CardField, Provider, ProviderDeclaration, TestCard
from mercat.payments.providers import PROVIDERS, connect, declaration
from mercat.payments.service import Payments

__all__ = [
    "API",
    "PROVIDERS",
    "BadSignature",
    "CardField",
    "CaseKind",
    "CaseNote",
    "CaseSort",
    "ChallengeOutcome",
    "Charge",
    "KeptCard",
    "NextAction",
    "Paid",
    "Payment",
    "PaymentDeclined",
    "PaymentUnavailable",
    "Payments",
    "Provider",
    "ProviderDeclaration",
    "Reconciled",
    "ReconciliationCase",
    "Refund",
    "RefundRequest",
    "SellerPart",
    "TestCard",
    "Webhook",
    "WebhookReceipt",
    "connect",
    "declaration",
]
