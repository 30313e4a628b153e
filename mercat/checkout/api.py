from mercat.checkout.purchases import Checkout
from mercat.kit.rpc import Route

API = [
    Route("POST", "/people", Checkout.people, status=200),
    Route("POST", "/cards", Checkout.keep_card),
    Route("POST", "/quotes", Checkout.quote),
    Route("POST", "/checkouts", Checkout.buy, status=200),
    Route("POST", "/outcomes", Checkout.outcomes, status=200),
    Route("POST", "/never", Checkout.never_begin, status=200),
    Route("GET", "/health", Checkout.health),
    Route("POST", "/challenges/{ticket}", Checkout.challenge, status=200),
    Route("POST", "/checkouts/{checkout_id}", Checkout.resume, status=200),
    Route("POST", "/notices", Checkout.hear, status=200),
    Route("POST", "/orders/{order_id}/cancel", Checkout.cancel, status=200),
    Route("POST", "/shipments", Checkout.ship),
    Route("POST", "/shipments/{shipment_id}/events", Checkout.track),
    Route("POST", "/orders/{order_id}/returns", Checkout.return_),
    Route("GET", "/parked", Checkout.parked),
    Route("POST", "/parked", Checkout.retry, status=200),
]
