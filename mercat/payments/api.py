from mercat.kit.web import Route
from mercat.payments.service import Payments

API = [
    Route("POST", "/charges", Payments.charge),
    Route("DELETE", "/charges/{checkout_id}", Payments.void),
    Route("POST", "/orders/{order_id}/refunds", Payments.refund),
    Route("GET", "/orders/{order_id}/payments", Payments.of_order),
    Route("GET", "/trial-balance", Payments.trial_balance),
    Route("GET", "/challenges/{ticket}", Payments.challenged),
    Route("POST", "/challenges/{ticket}", Payments.answer_challenge),
]
