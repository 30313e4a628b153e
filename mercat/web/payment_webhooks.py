"""Webhooks of payment providers."""

from msgspec import Struct
from starlette.requests import Request

from mercat.kit.http import read_body
from mercat.payments import Webhook, declaration
from mercat.shop import Shop
from mercat.web.router import PublicRoute


class WebhookReceived(Struct, frozen=True):
    """A webhook was signed; `duplicate`: it was processed before."""

    received: bool = True
    duplicate: bool = False


class PaymentWebhooksApi:
    """Webhooks of payment providers."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def provider_notice(self, provider: str, request: Request) -> WebhookReceived:
        """Take a webhook of the payment provider, signed in the provider's own header. The checkout goes on;
        twice changes nothing."""
        signature = request.headers.get(declaration(self._shop.settings).signature_header, "")
        webhook = Webhook(provider, await read_body(request, needed=False), signature)
        receipt = await self._shop.checkout.receive_webhook(webhook)
        return WebhookReceived(duplicate=receipt.done)


API = [
    PublicRoute(
        "POST",
        "/payments/webhooks/{provider}",
        PaymentWebhooksApi.provider_notice,
        tag="Buying",
        status=200,
        refuses=["bad_signature", "not_found"],
        any_query=True,
    ),
]
