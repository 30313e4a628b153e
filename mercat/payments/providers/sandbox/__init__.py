"""The sandbox: a card network for trying things out, which lives in the shop and moves no money."""

import asyncpg
from msgspec import Struct

from mercat.payments.provider import ProviderDeclaration
from mercat.payments.providers.sandbox.adapter import Sandbox
from mercat.payments.providers.sandbox.test_cards import TEST_CARDS
from mercat.settings import Settings

__all__ = ["OWN_SETTINGS", "Sandbox", "SandboxSettings", "declare"]


class SandboxSettings(Struct, frozen=True, kw_only=True):
    sandbox_hang_s: float = 5
    """How long the sandbox hangs for the cards that time out."""


OWN_SETTINGS = SandboxSettings


def declare(settings: Settings) -> ProviderDeclaration:
    hang_s = settings.part(SandboxSettings).sandbox_hang_s
    secret = settings.key("sandbox notices")

    def connect(db: asyncpg.Pool) -> Sandbox:
        return Sandbox(db, hang_s, settings.provider_timeout_s, secret)

    return ProviderDeclaration(
        title="the sandbox",
        connect=connect,
        signature_header="mercat-signature",
        real_money=False,
        test_cards=TEST_CARDS,
    )
