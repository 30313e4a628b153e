import asyncio

import asyncpg

from mercat.ids import CaseId, CheckoutId, OrderId, UserId
from mercat.kit import codec, sql
from mercat.payments.attempts import Attempts
from mercat.payments.booked import BookedOrders
from mercat.payments.charges import Charges
from mercat.payments.commissions import Commissions
from mercat.payments.earnings import Earnings
from mercat.payments.filling import Filling
from mercat.payments.kept_cards import KeptCards
from mercat.payments.messages import (
    CASES_MAX,
    Balance,
    CaseCounts,
    CaseKind,
    CaseNote,
    CaseSort,
    ChallengeOutcome,
    Charge,
    KeptCard,
    Paid,
    PaidTender,
    Payment,
    Reconciled,
    ReconciliationCase,
    Refund,
    RefundRequest,
    VoidedPurchase,
    Webhook,
    WebhookReceipt,
)
from mercat.payments.payout_accounts import PayoutAccounts
from mercat.payments.payout_provider import PayoutProvider
from mercat.payments.payout_providers.sandbox import SandboxTransfers
from mercat.payments.payouts import Payouts
from mercat.payments.provider import Provider
from mercat.payments.reconciliation import Reconciliation
from mercat.payments.refunds import Refunds
from mercat.payments.sold_gift_cards import SoldGiftCards
from mercat.payments.stored_value import StoredValue
from mercat.payments.webhooks import Webhooks
from mercat.settings import Settings

queries = sql.load("mercat.payments")


class Payments:
    """The verbs of payments; each subject is a part of its own."""

    unhurried = True

    def __init__(
        self,
        db: asyncpg.Pool,
        provider: Provider,
        settings: Settings,
        transfers: PayoutProvider | None = None,
        *,
        real_money: bool = False,
    ) -> None:
        """`transfers`: who pays sellers out, the sandbox where nobody is named; `real_money`: whether
        shoppers pay any."""
        self._db = db
        self._provider = provider
        attempts = self._attempts = Attempts(db)
        self._kept_cards = KeptCards(db, provider, settings)
        self.stored_value = values = StoredValue(db, settings)
        self._refunds = Refunds(db, provider, settings, attempts, values)
        self._charges = Charges(db, provider, settings, attempts, self._refunds, values)
        self._reconciliation = Reconciliation(db, provider, settings, attempts)
        self._webhooks = Webhooks(db, provider, settings, self._reconciliation)
        self.make_gift_card = values.make_gift_card
        self.gift_cards = values.gift_cards
        self.sold_gift_cards = sold = SoldGiftCards(db, settings)
        self.issue_sold = sold.issue_sold
        self.sold_of = sold.sold_of
        self.stop_sold = sold.stop_sold
        self.let_sold_be = sold.let_sold_be
        self.void_sold = sold.void_sold
        self.set_gift_card_status = values.set_gift_card_status
        self.find_gift_card = values.find_gift_card
        self.spendable = values.spendable
        self.hold_many = values.hold_many
        self.grant_store_credit = values.grant_store_credit
        self.store_credit = values.store_credit
        self.reported = BookedOrders(db)
        self.booked = self.reported.booked
        transfers = transfers or SandboxTransfers(db)
        commissions, accounts = Commissions(db, settings), PayoutAccounts(db, transfers)
        self.earnings = Earnings(db, settings)
        self.filling = Filling(db, settings)
        self.paying_out = Payouts(db, transfers, settings, real_money=real_money)

        self.commission_rules = commissions.commission_rules
        self.set_commission_rules = commissions.set_commission_rules
        self.seller_balances = self.earnings.seller_balances
        self.unpaid_lines = self.earnings.unpaid_lines
        self.payouts = self.paying_out.payouts
        self.payout_counts = self.paying_out.payout_counts
        self.statement = self.paying_out.statement
        self.statement_lines = self.paying_out.statement_lines
        self.run_payouts = self.paying_out.run_payouts
        self.payout_account = accounts.payout_account
        self.set_payout_account = accounts.set_payout_account

    # -- cards, charges and refunds

    async def keep_card(self, token: str, user_id: UserId | None = None) -> KeptCard:
        """Keep a card: for a user for any number of charges; for nobody, for as many as the provider allows.

        Invalid for what is no token of the provider's, and for a card that it does not take."""
        return await self._kept_cards.keep(token, user_id)

    async def charge(self, charge: Charge) -> Paid:
        """Capture, once a checkout; PaymentDeclined and PaymentUnavailable are as final.

        An answer with a next action is not: ask again when the shopper has acted."""
        return await self._charges.charge(charge)

    async def charge_many(self, charges: list[Charge]) -> list[bool]:
        """Capture those that the provider takes together; False for the others, which `charge` carries on."""
        return await self._charges.charge_many(charges)

    async def void(self, checkout_id: CheckoutId, order_id: OrderId) -> None:
        """Release what was authorised, refund what was captured; a charge that comes later is undone too."""
        await self._charges.void(checkout_id, order_id)

    async def void_tendered(self, purchase: VoidedPurchase) -> None:
        """Void a purchase that gift cards or store credit pay too: what is held for it goes back, and nothing
        is held for it any more."""
        await self._charges.void_tendered(purchase)

    async def refund(self, order_id: OrderId, refund: RefundRequest) -> Refund:
        """Pay back a part of what an order paid, once a reference; RefundTooLarge beyond what is left."""
        return await self._refunds.of_order(order_id, refund)

    async def challenged(self, ticket: str) -> CheckoutId:
        """Return whose challenge a ticket is for; NotFound for one that we did not give."""
        return self._charges.checkout_of(ticket)

    async def answer_challenge(self, ticket: str, outcome: ChallengeOutcome) -> CheckoutId:
        """Tell a bank of this shop's own yes or no; answers the checkout that can go on."""
        checkout_id = self._charges.checkout_of(ticket)
        await self._provider.answer_challenge(checkout_id, outcome.outcome == "approve")
        return checkout_id

    # -- the books

    async def of_order(self, order_id: OrderId) -> list[Payment]:
        """List an order's payments with their refunds."""
        rows = await self._db.fetch(queries.of_order, order_id)
        return [
            sql.row(
                Payment,
                {
                    **row,
                    "refunds": codec.decode(row["refunds"], list[Refund]),
                    "tenders": codec.decode(row["tenders"], list[PaidTender]),
                },
            )
            for row in rows
        ]

    async def trial_balance(self, sellers_together: bool = False) -> list[Balance]:
        """Return every account's balance; they sum to zero."""
        return sql.rows(Balance, await self._db.fetch(queries.trial_balance, sellers_together))

    async def reconcile(self, hours: float = 48) -> Reconciled:
        """Compare the charges of the last `hours` with the provider's; a difference opens one case."""
        return await self._reconciliation.reconcile(hours)

    async def cases(
        self,
        resolved: bool = False,
        kind: CaseKind | None = None,
        sort: CaseSort = "-opened",
        after: CaseId | None = None,
        limit: int = CASES_MAX,
    ) -> list[ReconciliationCase]:
        """List differences to the provider's books: open or resolved, sorted, a page at a time."""
        return await self._reconciliation.cases(resolved, kind, sort, after, limit)

    async def case_counts(self) -> CaseCounts:
        """Count open cases and resolved ones."""
        return await self._reconciliation.case_counts()

    async def resolve(self, case_id: CaseId, who: str, note: CaseNote) -> None:
        """Close a case with an operator's note; NotFound for what is not open."""
        await self._reconciliation.resolve(case_id, who, note)

    # -- webhooks

    async def receive_webhook(self, webhook: Webhook) -> WebhookReceipt:
        """Keep a webhook that the provider signed, once; raises BadSignature.

        What it says is not believed: the checkout asks the provider. It is taken up again until
        `finish_webhook`."""
        return await self._webhooks.receive(webhook)

    async def finish_webhook(self, receipt: WebhookReceipt) -> None:
        """Note that a webhook was processed."""
        await self._webhooks.finish(receipt)

    async def take_pending_webhooks(self) -> list[WebhookReceipt]:
        """Take up webhooks that nobody has finished, a second old at least, and count the try."""
        return await self._webhooks.take_pending()

    # -- background duties

    async def keep_tidy(self) -> None:
        """Void authorisations that nobody came back for, and delete old webhooks; then rest a minute."""
        while await self.void_stale():
            pass
        await self._webhooks.delete_old()
        await asyncio.sleep(60)

    async def void_stale(self) -> int:
        """Void what waits for longer than `stale_authorisation_s`; answers how many were finished with."""
        return await self._charges.void_stale()

    async def keep_reconciling(self) -> None:
        """Reconcile when it is due; then rest a minute."""
        await self.reconcile_if_due()
        await asyncio.sleep(60)

    async def reconcile_if_due(self) -> Reconciled | None:
        """Reconcile once in `reconcile_every_s`, whichever process asks first."""
        return await self._reconciliation.reconcile_if_due()
