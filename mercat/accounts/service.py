"""Accounts, put together from their parts."""

from collections.abc import Mapping

import asyncpg

from mercat.accounts.address_book import AddressBook
from mercat.accounts.api_keys import ApiKeys
from mercat.accounts.guarding import Guard
from mercat.accounts.messages import CardLabel
from mercat.accounts.operators import Operators
from mercat.accounts.people import People
from mercat.accounts.sessions import Sessions
from mercat.accounts.two_factor import TwoFactor
from mercat.kit.valkey import Store
from mercat.settings import Settings


class Accounts:
    """Every verb that accounts are asked, by its name; each lives in the part whose subject it is."""

    def __init__(  # noqa: PLR0915  - a line a verb
        self, db: asyncpg.Pool, store: Store, settings: Settings, test_cards: Mapping[str, CardLabel]
    ) -> None:
        """`test_cards`: how the payment provider's cards for trying things out are called, by token."""
        guard = Guard(store, settings)
        self.keys = ApiKeys(db, settings.key("api keys"))
        self.running = Sessions(db, store, settings, self.keys.caller_with)
        self.second_step = TwoFactor(db, settings, guard)
        self.members = People(db, settings, self.running, self.second_step, guard)
        self.book = AddressBook(db, test_cards)
        self.operators = Operators(db, self.running)

        self.register = self.members.register
        self.invite = self.members.invite
        self.seed = self.members.seed
        self.find = self.members.find
        self.verify = self.members.verify
        self.claim = self.members.claim
        self.grant = self.members.grant
        self.person = self.members.person
        self.contacts = self.members.contacts
        self.operator_contacts = self.members.operator_contacts
        self.change = self.members.change
        self.ask_confirmation = self.members.ask_confirmation
        self.confirm_email = self.members.confirm_email
        self.ask_reset = self.members.ask_reset
        self.check_reset_link = self.members.check_reset_link
        self.reset_password = self.members.reset_password
        self.leave = self.members.leave
        self.erase_guest = self.members.erase_guest
        self.create_operator = self.members.create_operator
        self.guests_of = self.members.guests_of
        self.begin_session = self.running.begin_session
        self.guest = self.running.guest
        self.who = self.running.who
        self.sign_out = self.running.sign_out
        self.sessions = self.running.sessions
        self.end_session = self.running.end_session
        self.end_others = self.running.end_others
        self.begin_two_factor = self.second_step.begin_two_factor
        self.confirm_two_factor = self.second_step.confirm_two_factor
        self.end_two_factor = self.second_step.end_two_factor
        self.make_api_key = self.keys.make_api_key
        self.api_keys = self.keys.api_keys
        self.end_api_key = self.keys.end_api_key
        self.add_address = self.book.add_address
        self.addresses = self.book.addresses
        self.address = self.book.address
        self.change_address = self.book.change_address
        self.remove_address = self.book.remove_address
        self.add_payment_method = self.book.add_payment_method
        self.payment_methods = self.book.payment_methods
        self.list_payment_methods = self.book.list_payment_methods
        self.choose_payment_method = self.book.choose_payment_method
        self.remove_payment_method = self.book.remove_payment_method
        self.addresses_and_cards = self.book.addresses_and_cards
        self._take_verbs_of_operators()

    def _take_verbs_of_operators(self) -> None:
        self.find_people = self.operators.find_people
        self.exported_people = self.operators.exported_people
        self.found_person = self.operators.found_person
        self.people_counts = self.operators.people_counts
        self.disable = self.operators.disable
        self.enable = self.operators.enable
        self.erase_person = self.operators.erase_person
        self.make_operator = self.operators.make_operator
        self.set_operator = self.operators.set_operator
