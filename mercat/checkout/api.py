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
from mercat.kit.rpc import Route

API = [
    Route("POST", "/cards", SavedCards.keep_card),
    Route("POST", "/quotes", Preparation.quote),
    Route("POST", "/checkouts", Purchases.buy),
    Route("POST", "/purchases", Purchases.buy_with),
    Route("POST", "/checkouts/{checkout_id}", Purchases.resume),
    Route("POST", "/followed", Purchases.follow),
    Route("POST", "/abandoned", Purchases.abandon),
    Route("GET", "/waiting/{user_id}", Purchases.waiting),
    Route("GET", "/challenges/{ticket}", Purchases.challenged),
    Route("POST", "/challenges/{ticket}", Purchases.challenge),
    Route("POST", "/outcomes", PastPurchases.outcomes),
    Route("POST", "/never", PastPurchases.never_begin),
    Route("GET", "/health", PastPurchases.health),
    Route("POST", "/webhooks", PaymentWebhooks.receive_webhook),
    Route("POST", "/people", MoneyBack.people),
    Route("POST", "/orders/{order_id}/cancel", MoneyBack.cancel),
    Route("POST", "/orders/{order_id}/refunds", MoneyBack.refund),
    Route("POST", "/shipments", Aftercare.ship),
    Route("POST", "/shipments/{shipment_id}/events", Aftercare.track),
    Route("GET", "/orders/{order_id}/of/{user_id}/returnable", GoodsBack.returnable),
    Route("POST", "/orders/{order_id}/of/{user_id}/returns", GoodsBack.ask_return),
    Route("POST", "/orders/{order_id}/returns/preview/{seller_id}", GoodsBack.preview_return),
    Route("POST", "/orders/{order_id}/returns/{return_id}/withdraw", GoodsBack.withdraw_return),
    Route("POST", "/returns/{return_id}/refuse", GoodsBack.refuse_return),
    Route("POST", "/returns/{return_id}/receive", GoodsBack.receive_return),
    Route("GET", "/parked", ParkedWork.parked),
    Route("GET", "/parked-counts", ParkedWork.parked_counts),
    Route("POST", "/parked", ParkedWork.retry),
]
