"""Where payment providers tell what happened."""

from msgspec import Struct
from starlette.requests import Request

from mercat.kit.http import read_body
from mercat.payments import Letter
from mercat.shop import Shop
from mercat.web.router import PublicRoute


class WebhookReceived(Struct, frozen=True):
    """A provider's notice was signed; `duplicate`: it was seen to before."""

    received: bool = True
    duplicate: bool = False


class PaymentWebhooksApi:
    """What payment providers tell."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def provider_notice(self, provider: str, request: Request) -> WebhookReceived:
        """Take what a payment provider tells, signed: `Stripe-Signature`, or
        `Mercat-Signature` of the sandbox. The checkout goes on; twice changes nothing."""
        header = "stripe-signature" if provider == "stripe" else "mercat-signature"
        signature = request.headers.get(header, "")
        letter = Letter(provider, await read_body(request, needed=False), signature)
        receipt = await self._shop.checkout.receive_webhook(letter)
        return WebhookReceived(duplicate=receipt.done)


API = [
    PublicRoute(
        "POST",
        "/payments/webhooks/{provider}",
        PaymentWebhooksApi.provider_notice,
        tag="Buying",
        status=200,
        refuses=["bad_signature", "not_found"],
    ),
]
