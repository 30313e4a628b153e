"""The routes of accounts: a verb of any of their parts each."""

from mercat.accounts.address_book import AddressBook
from mercat.accounts.api_keys import ApiKeys
from mercat.accounts.operators import Operators
from mercat.accounts.people import People
from mercat.accounts.sessions import Sessions
from mercat.accounts.two_factor import TwoFactor
from mercat.kit.verbs import Verb

API = [
    Verb(People.register),
    Verb(People.invite),
    Verb(People.find, reads=True),
    Verb(People.seed),
    Verb(People.verify, reads=True),
    Verb(People.claim),
    Verb(Sessions.begin_session),
    Verb(Sessions.guest),
    Verb(Sessions.who, reads=True, many=True),
    Verb(Sessions.sign_out),
    Verb(Sessions.sessions, reads=True),
    Verb(Sessions.end_session),
    Verb(Sessions.end_others),
    Verb(People.grant),
    Verb(People.person, reads=True),
    Verb(People.contacts, reads=True),
    Verb(People.operator_contacts, reads=True),
    Verb(People.change),
    Verb(People.leave),
    Verb(People.erase_guest),
    Verb(People.ask_confirmation),
    Verb(People.confirm_email),
    Verb(People.ask_reset),
    Verb(People.reset_password),
    Verb(People.create_operator),
    Verb(Operators.set_operator),
    Verb(Operators.find_people, reads=True),
    Verb(Operators.exported_people, reads=True),
    Verb(Operators.people_counts, reads=True),
    Verb(Operators.found_person, reads=True),
    Verb(Operators.disable),
    Verb(Operators.enable),
    Verb(Operators.erase_person),
    Verb(Operators.make_operator),
    Verb(People.guests_of, reads=True),
    Verb(TwoFactor.begin_two_factor),
    Verb(TwoFactor.confirm_two_factor),
    Verb(TwoFactor.end_two_factor),
    Verb(ApiKeys.make_api_key),
    Verb(ApiKeys.api_keys, reads=True),
    Verb(ApiKeys.end_api_key),
    Verb(AddressBook.add_address, many=True),
    Verb(AddressBook.addresses, reads=True),
    Verb(AddressBook.address, reads=True),
    Verb(AddressBook.change_address),
    Verb(AddressBook.remove_address),
    Verb(AddressBook.add_payment_method, many=True),
    Verb(AddressBook.payment_methods, reads=True),
    Verb(AddressBook.choose_payment_method),
    Verb(AddressBook.remove_payment_method),
    Verb(AddressBook.list_payment_methods, many=True),
    Verb(AddressBook.addresses_and_cards, reads=True, many=True),
]
