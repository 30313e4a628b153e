from mercat.kit.rpc import Route
from mercat.payments.service import Payments

API = [
    Route("POST", "/cards", Payments.keep_card),
    Route("POST", "/charges", Payments.charge),
    Route("DELETE", "/charges/{checkout_id}", Payments.void),
    Route("POST", "/orders/{order_id}/refunds", Payments.refund),
    Route("GET", "/orders/{order_id}/payments", Payments.of_order),
    Route("GET", "/trial-balance", Payments.trial_balance),
    Route("POST", "/webhooks", Payments.receive_webhook, status=200),
    Route("POST", "/webhooks/finished", Payments.finish_webhook, status=200),
    Route("POST", "/webhooks/pending", Payments.take_pending_webhooks, status=200),
    Route("GET", "/cases", Payments.cases),
    Route("POST", "/reconciled", Payments.reconcile, status=200),
    Route("POST", "/cases/{case_id}/resolved", Payments.resolve, status=200),
    Route("GET", "/challenges/{ticket}", Payments.challenged),
    Route("POST", "/challenges/{ticket}", Payments.answer_challenge),
]
