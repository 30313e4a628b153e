"""What payment providers tell about payments by themselves.

A webhook is a hint: it only makes its checkout go on, which asks the provider how things stand. So it may
come early, late, twice and in any order.
"""

import asyncio

import structlog

from mercat.checkout.messages import CheckoutInProgress
from mercat.checkout.purchases import Purchases
from mercat.kit.refusals import NotFound, Overloaded
from mercat.payments import Payments, Webhook, WebhookReceipt

log = structlog.get_logger("mercat.checkout")
_AT_ONCE = 50
_TRIES_MAX = 900


class PaymentWebhooks:
    """Carries checkouts on that a provider's webhook is about."""

    def __init__(self, payments: Payments, purchases: Purchases) -> None:
        self._payments = payments
        self._purchases = purchases

    async def receive_webhook(self, webhook: Webhook) -> WebhookReceipt:
        """Take a webhook in, if it is signed, and carry its checkout on."""
        receipt = await self._payments.receive_webhook(webhook)
        if not receipt.done:
            await self._follow(receipt)
        return receipt

    async def keep_retrying(self) -> None:
        """Take up webhooks that wait; the back process does this all the time."""
        while await self.retry_waiting() >= _AT_ONCE:
            pass
        await asyncio.sleep(1)

    async def retry_waiting(self) -> int:
        """Take up webhooks whose checkout was busy when they came; answer how many waited."""
        waiting = await self._payments.take_pending_webhooks()
        for receipt in waiting:
            try:
                await self._follow(receipt)
            except Exception:  # one that cannot be followed keeps no other waiting
                log.exception("a provider's webhook could not be followed", webhook=receipt.event_id)
                if receipt.tries >= _TRIES_MAX:
                    await self._payments.finish_webhook(receipt)
        return len(waiting)

    async def _follow(self, receipt: WebhookReceipt) -> None:
        try:
            if receipt.checkout_id is not None:
                await self._purchases.resume(receipt.checkout_id)
        except (CheckoutInProgress, Overloaded):
            if receipt.tries < _TRIES_MAX:
                return  # somebody works on it, perhaps without knowing yet: once more in a second
        except NotFound:
            pass  # not a checkout of this shop, or forgotten
        await self._payments.finish_webhook(receipt)
