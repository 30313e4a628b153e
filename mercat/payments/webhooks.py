"""Webhooks: what a provider sends of its own accord, kept until the checkout has asked what is true."""

from datetime import timedelta

import asyncpg
import msgspec

from mercat.kit import clock, sql
from mercat.kit.refusals import Invalid, NotFound
from mercat.payments import rules
from mercat.payments.messages import Webhook, WebhookReceipt
from mercat.payments.provider import Provider, WebhookEvent
from mercat.payments.reconciliation import Reconciliation
from mercat.settings import Settings

queries = sql.load("mercat.payments")
_KEPT = timedelta(days=30)
_EVENT_ID_MAX = 255
_KIND_MAX = 100


class Webhooks:
    def __init__(
        self, db: asyncpg.Pool, provider: Provider, settings: Settings, reconciliation: Reconciliation
    ) -> None:
        self._db = db
        self._provider = provider
        self._settings = settings
        self._reconciliation = reconciliation

    async def receive(self, webhook: Webhook) -> WebhookReceipt:
        """Keep a webhook that the provider signed, once; raises BadSignature."""
        if webhook.provider != self._provider.name:
            raise NotFound("There is no such provider here.")
        try:
            event = self._provider.read_webhook(webhook.body, webhook.signature)
        except msgspec.DecodeError as error:
            raise Invalid("This notice cannot be read.") from error
        if not event.event_id or len(event.event_id) > _EVENT_ID_MAX:
            raise Invalid("This notice has no id.", pointer="/id")
        row = await self._db.fetchrow(
            queries.record_webhook,
            webhook.provider,
            event.event_id,
            event.kind[:_KIND_MAX],
            event.checkout_id,
            clock.now(),
        )
        assert row is not None
        if event.failure and not row["done"]:
            await self._refund_failed(event)
        return WebhookReceipt(webhook.provider, event.event_id, event.checkout_id, row["done"], row["tries"])

    async def _refund_failed(self, event: WebhookEvent) -> None:
        """Book the refund as owed again, and open a case: the shopper is owed the money some other way."""
        order_id, owed, currency = None, 0, self._settings.currency
        if event.refund_id is not None:
            await self._db.execute(queries.fail_refund, event.refund_id, rules.CAME_BACK)
            if row := await self._db.fetchrow(queries.refund_of, event.refund_id):
                order_id, owed, currency = row["order_id"], row["amount"], row["currency"]
        difference = rules.BookDifference("refund_failed", owed, 0)
        await self._reconciliation.open_case(difference, event.failure, order_id, currency)

    async def finish(self, receipt: WebhookReceipt) -> None:
        """Note that a webhook was processed."""
        await self._db.execute(queries.finish_webhook, receipt.provider, receipt.event_id, clock.now())

    async def take_pending(self) -> list[WebhookReceipt]:
        """Take up webhooks that nobody has finished, a second old at least, and count the try."""
        rows = await self._db.fetch(queries.take_pending_webhooks, clock.now() - timedelta(seconds=1))
        return sql.rows(WebhookReceipt, rows)

    async def delete_old(self) -> None:
        """Delete webhooks of more than 30 days ago."""
        await self._db.execute(queries.delete_old_webhooks, clock.now() - _KEPT)
