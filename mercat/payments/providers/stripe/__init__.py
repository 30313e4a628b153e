"""Stripe: real cards, taken in Stripe's own field."""

from pathlib import Path
from typing import Annotated

import asyncpg
from msgspec import Meta, Struct

from mercat.payments.provider import CardField, Provider, ProviderDeclaration, TestCard
from mercat.settings import Secret, Settings

__all__ = ["OWN_SETTINGS", "StripeSettings", "declare"]


class StripeSettings(Struct, frozen=True, kw_only=True):
    stripe_key: Secret = Secret()
    """Stripe's secret key (`sk_…`). It is never written to a log."""
    stripe_publishable_key: Annotated[str, Meta(pattern=r"^(pk_\w+)?$")] = ""
    """What Stripe's own field for cards goes by (`pk_…`, public); empty: checkout has no such field."""
    stripe_webhook_secret: Secret = Secret()
    """What Stripe signs its webhooks with (`whsec_…`); empty: none are taken."""
    stripe_url: str = ""
    """Where Stripe is (empty: its own address). For doubles."""


OWN_SETTINGS = StripeSettings
TEST_CARDS = (
    TestCard("pm_card_visa", "Visa", "4242", "Visa that pays", "Stripe's test card: works."),
    TestCard(
        "pm_card_authenticationRequired",
        "Visa",
        "3184",
        "Visa that asks its bank first (3-D Secure)",
        "Stripe's test card: the bank asks first.",
    ),
    TestCard(
        "pm_card_visa_chargeDeclined",
        "Visa",
        "0002",
        "Visa that is declined",
        "Stripe's test card: is declined.",
    ),
)
# https://docs.stripe.com/security/guide#content-security-policy
_POLICY = {
    "script-src": "'self' https://js.stripe.com https://*.js.stripe.com",
    "connect-src": "'self' https://api.stripe.com",
    "frame-src": "https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com",
}


def declare(settings: Settings) -> ProviderDeclaration:
    own = settings.part(StripeSettings)
    secret_key, public_key = own.stripe_key.reveal(), own.stripe_publishable_key

    def connect(db: asyncpg.Pool) -> Provider:
        from mercat.payments.providers.stripe.adapter import Stripe

        return Stripe(settings)

    return ProviderDeclaration(
        title="Stripe",
        connect=connect,
        signature_header="stripe-signature",
        real_money="_test_" not in secret_key,
        test_cards=TEST_CARDS if secret_key.startswith("sk_test_") else (),
        card_field=CardField(public_key, Path(__file__).with_name("card.js"), _POLICY)
        if public_key
        else None,
    )
