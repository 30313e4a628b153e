"""The routes of checkout: a verb of any of its parts each."""

from mercat.checkout.aftercare import Aftercare
from mercat.checkout.cards import SavedCards
from mercat.checkout.goods_back import GoodsBack
from mercat.checkout.money_back import MoneyBack
from mercat.checkout.parked import ParkedWork
from mercat.checkout.past import PastPurchases
from mercat.checkout.preparation import Preparation
from mercat.checkout.purchases import Purchases
from mercat.checkout.webhooks import PaymentWebhooks
from mercat.kit.verbs import Verb

API = [
    Verb(SavedCards.keep_card),
    Verb(Preparation.quote, reads=True),
    Verb(Preparation.shipping_methods, reads=True),
    Verb(Preparation.estimate, reads=True),
    Verb(Preparation.reduced, reads=True),
    Verb(Preparation.preview, reads=True),
    Verb(Purchases.explain, reads=True),
    Verb(Preparation.payable, reads=True),
    Verb(Purchases.buy),
    Verb(Purchases.buy_with),
    Verb(Purchases.resume),
    Verb(Purchases.follow),
    Verb(Purchases.abandon),
    Verb(Purchases.waiting, reads=True),
    Verb(Purchases.adopt),
    Verb(Purchases.challenged, reads=True),
    Verb(Purchases.challenge),
    Verb(PastPurchases.outcomes, reads=True),
    Verb(PastPurchases.never_begin),
    Verb(PastPurchases.health, reads=True),
    Verb(PaymentWebhooks.receive_webhook),
    Verb(MoneyBack.people, reads=True),
    Verb(MoneyBack.cancel),
    Verb(MoneyBack.preview_cancel, reads=True),
    Verb(MoneyBack.refund),
    Verb(Aftercare.ship),
    Verb(Aftercare.track),
    Verb(GoodsBack.returnable, reads=True),
    Verb(GoodsBack.ask_return),
    Verb(GoodsBack.preview_return, reads=True),
    Verb(GoodsBack.withdraw_return),
    Verb(GoodsBack.refuse_return),
    Verb(GoodsBack.receive_return),
    Verb(ParkedWork.parked, reads=True),
    Verb(ParkedWork.parked_counts, reads=True),
    Verb(ParkedWork.retry),
]
