from mercat.kit.rpc import Route
from mercat.payments.service import Payments

API = [
    Route("POST", "/cards", Payments.keep_card),
    Route("POST", "/charges", Payments.charge),
    Route("POST", "/charges/together", Payments.charge_many),
    Route("DELETE", "/charges/{checkout_id}", Payments.void),
    Route("POST", "/orders/{order_id}/refunds", Payments.refund),
    Route("GET", "/orders/{order_id}/payments", Payments.of_order),
    Route("GET", "/trial-balance", Payments.trial_balance),
    Route("POST", "/webhooks", Payments.receive_webhook),
    Route("POST", "/webhooks/finished", Payments.finish_webhook),
    Route("POST", "/webhooks/pending", Payments.take_pending_webhooks),
    Route("GET", "/cases", Payments.cases),
    Route("GET", "/case-counts", Payments.case_counts),
    Route("POST", "/reconciled", Payments.reconcile),
    Route("POST", "/cases/{case_id}/resolved", Payments.resolve),
    Route("GET", "/challenges/{ticket}", Payments.challenged),
    Route("POST", "/challenges/{ticket}", Payments.answer_challenge),
]
