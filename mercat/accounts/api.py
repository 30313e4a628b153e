from mercat.accounts.service import Accounts
from mercat.kit.rpc import Route

API = [
    Route("POST", "/people", Accounts.register),
    Route("PUT", "/demo/people", Accounts.seed),
    Route("POST", "/passwords/verified", Accounts.verify),
    Route("PUT", "/people/{user_id}/guests/{guest_id}", Accounts.claim),
    Route("POST", "/people/{user_id}/sessions", Accounts.begin_session),
    Route("POST", "/guests", Accounts.guest),
    Route("POST", "/sessions/seen", Accounts.who),
    Route("POST", "/sessions/ended", Accounts.sign_out),
    Route("PUT", "/people/{user_id}/roles/{role}", Accounts.grant),
    Route("GET", "/people/{user_id}", Accounts.person),
    Route("PATCH", "/people/{user_id}", Accounts.change),
    Route("POST", "/people/{user_id}/confirmations", Accounts.ask_confirmation),
    Route("POST", "/emails/confirmed", Accounts.confirm_email),
    Route("POST", "/resets", Accounts.ask_reset),
    Route("POST", "/passwords/reset", Accounts.reset_password),
    Route("POST", "/operators", Accounts.create_operator),
    Route("POST", "/operators/{given}", Accounts.set_operator),
    Route("GET", "/people/{user_id}/guests", Accounts.guests_of),
    Route("POST", "/people/{user_id}/addresses", Accounts.add_address),
    Route("GET", "/people/{user_id}/addresses", Accounts.addresses),
    Route("GET", "/people/{user_id}/addresses/{address_id}", Accounts.address),
    Route("POST", "/people/{user_id}/payment-methods", Accounts.add_payment_method),
    Route("GET", "/people/{user_id}/payment-methods", Accounts.payment_methods),
    Route("POST", "/addresses-and-cards", Accounts.addresses_and_cards),
]
