from mercat.kit.verbs import Verb
from mercat.payments.booked import BookedOrders
from mercat.payments.commissions import Commissions
from mercat.payments.earnings import Earnings
from mercat.payments.payout_accounts import PayoutAccounts
from mercat.payments.payouts import Payouts
from mercat.payments.service import Payments
from mercat.payments.sold_gift_cards import SoldGiftCards
from mercat.payments.stored_value import StoredValue

API = [
    Verb(Payments.keep_card),
    Verb(Payments.charge),
    Verb(Payments.charge_many),
    Verb(Payments.void),
    Verb(Payments.void_tendered),
    Verb(Payments.refund),
    Verb(Payments.of_order, reads=True),
    Verb(BookedOrders.booked, reads=True),
    Verb(Payments.trial_balance, reads=True),
    Verb(Payments.receive_webhook),
    Verb(Payments.finish_webhook),
    Verb(Payments.take_pending_webhooks),
    Verb(Payments.cases, reads=True),
    Verb(Payments.case_counts, reads=True),
    Verb(Payments.reconcile),
    Verb(Payments.resolve),
    Verb(Payments.challenged, reads=True),
    Verb(Payments.answer_challenge),
    Verb(StoredValue.make_gift_card),
    Verb(StoredValue.gift_cards, reads=True),
    Verb(StoredValue.set_gift_card_status),
    Verb(StoredValue.find_gift_card, reads=True),
    Verb(SoldGiftCards.issue_sold),
    Verb(SoldGiftCards.sold_of, reads=True),
    Verb(SoldGiftCards.stop_sold),
    Verb(SoldGiftCards.let_sold_be),
    Verb(SoldGiftCards.void_sold),
    Verb(StoredValue.spendable, reads=True),
    Verb(StoredValue.hold_many),
    Verb(StoredValue.grant_store_credit),
    Verb(StoredValue.store_credit, reads=True),
    Verb(Commissions.commission_rules, reads=True),
    Verb(Commissions.set_commission_rules),
    Verb(Earnings.seller_balances, reads=True),
    Verb(Earnings.unpaid_lines, reads=True),
    Verb(PayoutAccounts.payout_account, reads=True),
    Verb(PayoutAccounts.set_payout_account),
    Verb(Payouts.payouts, reads=True),
    Verb(Payouts.payout_counts, reads=True),
    Verb(Payouts.statement, reads=True),
    Verb(Payouts.statement_lines, reads=True),
    Verb(Payouts.run_payouts),
]
