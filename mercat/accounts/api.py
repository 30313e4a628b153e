"""The routes of accounts: a verb of any of their parts each."""

from mercat.accounts.address_book import AddressBook
from mercat.accounts.api_keys import ApiKeys
from mercat.accounts.operators import Operators
from mercat.accounts.people import People
from mercat.accounts.sessions import Sessions
from mercat.accounts.two_factor import TwoFactor
from mercat.kit.rpc import Route

API = [
    Route("POST", "/people", People.register),
    Route("POST", "/people-by-email", People.find),
    Route("PUT", "/demo/people", People.seed),
    Route("POST", "/passwords/verified", People.verify),
    Route("PUT", "/people/{user_id}/guests/{guest_id}", People.claim),
    Route("POST", "/people/{user_id}/sessions", Sessions.begin_session),
    Route("POST", "/guests", Sessions.guest),
    Route("POST", "/sessions/seen", Sessions.who),
    Route("POST", "/sessions/ended", Sessions.sign_out),
    Route("POST", "/people/{user_id}/sessions/listed", Sessions.sessions),
    Route("DELETE", "/people/{user_id}/sessions/{session_id}", Sessions.end_session),
    Route("POST", "/people/{user_id}/sessions/others-ended", Sessions.end_others),
    Route("PUT", "/people/{user_id}/roles/{role}", People.grant),
    Route("GET", "/people/{user_id}", People.person),
    Route("POST", "/contacts", People.contacts),
    Route("GET", "/operators", People.operator_contacts),
    Route("PATCH", "/people/{user_id}", People.change),
    Route("POST", "/people/{user_id}/left", People.leave),
    Route("POST", "/guests/{guest_id}/erased", People.erase_guest),
    Route("POST", "/people/{user_id}/confirmations", People.ask_confirmation),
    Route("POST", "/emails/confirmed", People.confirm_email),
    Route("POST", "/resets", People.ask_reset),
    Route("POST", "/passwords/reset", People.reset_password),
    Route("POST", "/operators", People.create_operator),
    Route("POST", "/operators/{given}", Operators.set_operator),
    Route("POST", "/people-found", Operators.find_people),
    Route("GET", "/people-counts", Operators.people_counts),
    Route("GET", "/people/{user_id}/found", Operators.found_person),
    Route("PUT", "/people/{user_id}/disabled", Operators.disable),
    Route("DELETE", "/people/{user_id}/disabled", Operators.enable),
    Route("POST", "/people/{user_id}/erased", Operators.erase_person),
    Route("PUT", "/people/{user_id}/operator/{given}", Operators.make_operator),
    Route("GET", "/people/{user_id}/guests", People.guests_of),
    Route("POST", "/people/{user_id}/second-step", TwoFactor.begin_two_factor),
    Route("POST", "/people/{user_id}/second-step/confirmed", TwoFactor.confirm_two_factor),
    Route("POST", "/people/{user_id}/second-step/ended", TwoFactor.end_two_factor),
    Route("POST", "/sellers/{seller_id}/people/{user_id}/api-keys", ApiKeys.make_api_key),
    Route("GET", "/sellers/{seller_id}/api-keys", ApiKeys.api_keys),
    Route("DELETE", "/sellers/{seller_id}/api-keys/{key_id}", ApiKeys.end_api_key),
    Route("POST", "/people/{user_id}/addresses", AddressBook.add_address),
    Route("GET", "/people/{user_id}/addresses", AddressBook.addresses),
    Route("GET", "/people/{user_id}/addresses/{address_id}", AddressBook.address),
    Route("PATCH", "/people/{user_id}/addresses/{address_id}", AddressBook.change_address),
    Route("DELETE", "/people/{user_id}/addresses/{address_id}", AddressBook.remove_address),
    Route("POST", "/people/{user_id}/payment-methods", AddressBook.add_payment_method),
    Route("GET", "/people/{user_id}/payment-methods", AddressBook.payment_methods),
    Route("PUT", "/people/{user_id}/payment-methods/{method_id}", AddressBook.choose_payment_method),
    Route("DELETE", "/people/{user_id}/payment-methods/{method_id}", AddressBook.remove_payment_method),
    Route("POST", "/payment-methods/listed", AddressBook.list_payment_methods),
    Route("POST", "/addresses-and-cards", AddressBook.addresses_and_cards),
]
