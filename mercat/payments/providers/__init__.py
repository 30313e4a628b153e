"""The payment providers that the shop can use: one folder each, and one line in this list."""

import asyncpg

from mercat.payments.provider import Provider, ProviderDeclaration, ProviderModule
from mercat.payments.providers import sandbox, stripe
from mercat.settings import Settings, WrongSetting

PROVIDERS: dict[str, ProviderModule] = {
    "sandbox": sandbox,
    "stripe": stripe,
}


def declaration(settings: Settings) -> ProviderDeclaration:
    """Return what the provider that the settings name says of itself; raises WrongSetting."""
    module = PROVIDERS.get(settings.payment_provider)
    if module is None:
        known = ", ".join(PROVIDERS)
        raise WrongSetting(f"MERCAT_PAYMENT_PROVIDER cannot be {settings.payment_provider!r}: it is {known}.")
    return module.declare(settings)


def connect(settings: Settings, db: asyncpg.Pool) -> Provider:
    """Make the adapter of the provider that the settings name."""
    return declaration(settings).connect(db)
