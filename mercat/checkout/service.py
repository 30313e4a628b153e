"""Checkout, put together from its parts."""

import asyncpg

from mercat.checkout.aftercare import Aftercare
from mercat.checkout.cards import SavedCards
from mercat.checkout.customer_limits import CustomerLimits
from mercat.checkout.forgetting import PastBuyers
from mercat.checkout.gift_cards import GiftCardOrders
from mercat.checkout.goods_back import GoodsBack
from mercat.checkout.messages import AdmissionGate, Present
from mercat.checkout.money_back import MoneyBack
from mercat.checkout.neighbours import Neighbours
from mercat.checkout.parked import ParkedWork
from mercat.checkout.past import PastPurchases
from mercat.checkout.preparation import Preparation
from mercat.checkout.purchases import Purchases
from mercat.checkout.recovery import Recovery
from mercat.checkout.saga import Saga
from mercat.checkout.undoing import Undoing
from mercat.checkout.webhooks import PaymentWebhooks
from mercat.settings import Settings


class Checkout:
    """Every verb that checkout is asked, by its name; each lives in the part whose subject it is."""

    unhurried = True  # of the log it looks at every order, and hardly any has something for it

    def __init__(  # noqa: PLR0915  - a line a verb
        self, db: asyncpg.Pool, neighbours: Neighbours, settings: Settings, present: Present
    ) -> None:
        self.limits = CustomerLimits(db, settings)
        self.preparation = Preparation(neighbours, settings, self.limits)
        self.saga = Saga(db, neighbours, settings, present, self.limits)
        self.recovery = Recovery(db, self.saga, settings)
        cards = SavedCards(neighbours)
        self.purchases = Purchases(db, self.preparation, self.saga, cards, neighbours, settings)
        self.past = PastPurchases(db, present)
        self.webhooks = PaymentWebhooks(neighbours.payments, self.purchases)
        undoing = Undoing(db, settings)
        self.goods_back = GoodsBack(neighbours, settings, undoing)
        self.money_back = MoneyBack(neighbours, undoing)
        self.aftercare = Aftercare(db, neighbours, settings, undoing, self.money_back, self.goods_back)
        self.parking = ParkedWork(db)
        self.forgetting = PastBuyers(self.limits)
        self.gift_cards = GiftCardOrders(neighbours)

        self.keep_card = cards.keep_card
        self.quote = self.preparation.quote
        self.shipping_methods = self.preparation.shipping_methods
        self.estimate = self.preparation.estimate
        self.reduced = self.preparation.reduced
        self.preview = self.preparation.preview
        self.explain = self.purchases.explain
        self.payable = self.preparation.payable
        self.buy = self.purchases.buy
        self.buy_with = self.purchases.buy_with
        self.resume = self.purchases.resume
        self.follow = self.purchases.follow
        self.abandon = self.purchases.abandon
        self.waiting = self.purchases.waiting
        self.adopt = self.purchases.adopt
        self.challenge = self.purchases.challenge
        self.challenged = self.purchases.challenged
        self.outcomes = self.past.outcomes
        self.never_begin = self.past.never_begin
        self.health = self.past.health
        self.receive_webhook = self.webhooks.receive_webhook
        self.people = self.money_back.people
        self.cancel = self.money_back.cancel
        self.preview_cancel = self.money_back.preview_cancel
        self.refund = self.money_back.refund
        self.ship = self.aftercare.ship
        self.track = self.aftercare.track
        self.returnable = self.goods_back.returnable
        self.preview_return = self.goods_back.preview_return
        self.ask_return = self.goods_back.ask_return
        self.withdraw_return = self.goods_back.withdraw_return
        self.refuse_return = self.goods_back.refuse_return
        self.receive_return = self.goods_back.receive_return
        self.parked = self.parking.parked
        self.parked_counts = self.parking.parked_counts
        self.retry = self.parking.retry

    @property
    def gate(self) -> AdmissionGate | None:
        """Who lets orders in; the app hands it in once there is one."""
        return self.purchases.gate

    @gate.setter
    def gate(self, gate: AdmissionGate | None) -> None:
        self.purchases.gate = gate
