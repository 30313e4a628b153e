"""Requests to payments and their answers. Amounts are integers of minor units."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from mercat.ids import (
    CaseId,
    CategoryId,
    CheckoutId,
    GiftCardId,
    LineId,
    OrderId,
    PaymentId,
    PayoutId,
    RefundId,
    SellerId,
    UserId,
)
from mercat.kit.refusals import Conflict, Invalid, PaymentRequired
from mercat.kit.text import SEEN_LINE, SEEN_PROSE
from mercat.money import MINOR_MAX

CASE_NOTE_MAX = 1_000
CaseNote = Annotated[
    str,
    Meta(min_length=1, max_length=CASE_NOTE_MAX, pattern=r"\S", extra={"words": "Say how it was resolved."}),
]


class SellerPart(Struct, frozen=True, omit_defaults=True):
    """What of a payment is for one seller: for their goods, before commission, and for the delivery.

    `commission` and `fee`: what the shop keeps of the goods, decided when the purchase began; none: at the
    shop's rate. `tax`: what of the payment's tax they remit themselves; of a refund, that of their part."""

    seller_id: SellerId
    amount: int
    delivery: int = 0
    commission: int | None = None
    fee: int = 0
    tax: int = 0


GIFT_CODE_MAX = 80
"""Letters that are read of a code as somebody types it; one of ours has 24 with its dashes."""
GiftCode = Annotated[str, Meta(min_length=1, max_length=GIFT_CODE_MAX)]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", extra={"words": "Say it as in USD."})]
CREDIT_REASON_MAX = 500
CreditReason = Annotated[
    str, Meta(min_length=1, max_length=CREDIT_REASON_MAX, pattern=SEEN_PROSE, extra={"words": "Say why."})
]
ValueKind = Literal["gift_card", "store_credit"]
TenderKind = Literal["card", "gift_card", "store_credit"]


class Tender(Struct, frozen=True):
    """What of a purchase a gift card or store credit pays."""

    value_id: GiftCardId
    kind: ValueKind
    amount: int


class TenderHold(Struct, frozen=True):
    """What is held for a checkout before its card is charged."""

    checkout_id: CheckoutId
    tenders: list[Tender]


class Charge(Struct, frozen=True):
    """One charge of a checkout. `amount` = the sellers' parts + shipping + tax - what the shop gives away.

    `tenders`: what of it gift cards and store credit pay, which was held before; the rest is by card.
    `shipping`: a delivery that is no seller's; `user_id`: who pays, for a card that is kept for them works
    for nobody else; `again`: it may have been asked before."""

    checkout_id: CheckoutId
    order_id: OrderId
    amount: int
    currency: str
    token: str
    sellers: list[SellerPart]
    shipping: int = 0
    tax: int = 0
    user_id: UserId | None = None
    again: bool = False
    tenders: list[Tender] = []

    @property
    def tendered(self) -> int:
        return sum(tender.amount for tender in self.tenders) if self.tenders else 0

    @property
    def by_card(self) -> int:
        return self.amount - self.tendered


class VoidedPurchase(Struct, frozen=True):
    """A purchase that is undone, and what was, or may yet be, held for it.

    `by_card`: a provider may have been asked."""

    checkout_id: CheckoutId
    order_id: OrderId
    tenders: list[Tender]
    by_card: bool


class KeptCard(Struct, frozen=True):
    """A card as it is charged from now on: by which token, and whether for one purchase only."""

    token: str
    brand: str = ""
    last4: str = ""
    single_use: bool = False


class RefundRequest(Struct, frozen=True):
    """A part of an order's payment to pay back, once a reference.

    `amount` = the sellers' parts + tax - discount, which is what the shop gave away; with none of these
    given, every account gives its share. It goes back to where the payment came from; with `credit_to` all
    of it to this person's store credit."""

    reference: str
    amount: int
    sellers: list[SellerPart] = []
    tax: int = 0
    discount: int = 0
    credit_to: UserId | None = None


class NextAction(Struct, frozen=True):
    """What the shopper has to do before the bank pays."""

    type: str
    url: str


class Paid(Struct, frozen=True):
    """Captured; or, with a next action, waiting for the shopper."""

    payment_id: PaymentId
    next_action: NextAction | None = None


class ChallengeOutcome(Struct, frozen=True):
    """The shopper's answer to the bank."""

    outcome: Literal["approve", "fail"]


class RefundTender(Struct, frozen=True):
    """What of a refund went to a gift card or to store credit. `payment_id`: what that had paid of the order;
    None where it had paid nothing, and was given instead."""

    kind: ValueKind
    last4: str
    amount: int
    payment_id: PaymentId | None = None


class Refund(Struct, frozen=True):
    """A part of a payment that goes back: pending, done, or failed where the bank did not take it.

    `tenders`: what of it went to gift cards and store credit; the rest went to the card."""

    refund_id: RefundId
    amount: int
    status: str
    reference: str = ""
    at: datetime | None = None
    tenders: list[RefundTender] = []

    @property
    def to_card(self) -> int:
        return self.amount - sum(tender.amount for tender in self.tenders)


class PaidTender(Struct, frozen=True):
    """What a gift card or store credit paid of an order, and what of that went back."""

    payment_id: PaymentId
    kind: ValueKind
    last4: str
    amount: int
    refunded: int


class Payment(Struct, frozen=True):
    """What an order paid in all. `tenders`: what of it gift cards and store credit paid; the rest a card."""

    payment_id: PaymentId
    status: str
    amount: int
    refunded: int
    currency: str
    at: datetime
    refunds: list[Refund]
    tenders: list[PaidTender] = []

    @property
    def by_card(self) -> int:
        return self.amount - sum(tender.amount for tender in self.tenders)


ValueStatus = Literal["active", "disabled"]


class NewGiftCard(Struct, frozen=True):
    """A gift card that an operator makes. `once`: the key of who may ask again and gets the same card."""

    amount: Annotated[int, Meta(gt=0, le=MINOR_MAX)]
    currency: Currency
    expires_at: datetime | None = None
    once: str = ""


class MadeGiftCard(Struct, frozen=True):
    """A gift card that was made, and its code, which is shown this once."""

    gift_card_id: GiftCardId
    code: str


class GiftCardsDue(Struct, frozen=True, kw_only=True):
    """So many units of an order's line that are gift cards of an amount, and to whom their letters go."""

    order_id: OrderId
    order_line_id: LineId
    units: int
    amount: int
    currency: str
    email: str
    name: str = ""
    message: str = ""
    sender: str = ""


class SoldGiftCard(Struct, frozen=True, kw_only=True):
    """A gift card that was bought, and what is left of it."""

    gift_card_id: GiftCardId
    order_line_id: LineId
    last4: str
    initial: int
    balance: int
    is_void: bool


class UnitsBack(Struct, frozen=True):
    """How many units of an order's line were paid back in all."""

    order_line_id: LineId
    units: int


class GiftCard(Struct, frozen=True, kw_only=True):
    """A gift card without its code."""

    gift_card_id: GiftCardId
    last4: str
    initial: int
    balance: int
    currency: str
    status: ValueStatus
    expires_at: datetime | None
    made_at: datetime


class ValueEntry(Struct, frozen=True):
    """A change of a balance: issued, held for a checkout, given back, or refunded."""

    at: datetime
    kind: str
    amount: int
    note: str


class StoreCredit(Struct, frozen=True):
    """What a person may spend here, and how that came about: the newest first."""

    balance: int
    currency: str
    entries: list[ValueEntry]


class SpendableOf(Struct, frozen=True):
    """Gift cards, and people whose store credit is asked for."""

    gift_cards: list[GiftCardId] = []
    people: list[UserId] = []


class Spendable(Struct, frozen=True):
    """What gift cards and somebody's store credit can pay now."""

    value_id: GiftCardId
    kind: ValueKind
    last4: str
    balance: int
    currency: str
    user_id: UserId | None = None
    usable: bool = True
    """Neither disabled nor expired."""


class GrantedCredit(Struct, frozen=True):
    """Store credit that an operator gives, or takes with a negative amount, and why. `once`: the key of who
    may ask again."""

    user_id: UserId
    amount: Annotated[int, Meta(ge=-MINOR_MAX, le=MINOR_MAX)]
    reason: CreditReason
    once: str = ""


class RefundBooked(Struct, frozen=True, kw_only=True):
    """A refund that was paid: what it was for, when the bank paid it, and when it came back, if it did."""

    refund_id: RefundId
    reference: str
    amount: int
    paid_at: datetime
    came_back_at: datetime | None = None
    came_back: int = 0
    """What then came back: not what went to gift cards."""


class BookedOrder(Struct, frozen=True, kw_only=True):
    """What the journal says of an order: the commission of its capture, and what of it is of which seller's
    goods."""

    order_id: OrderId
    commission: int
    commissions: dict[SellerId, int] = {}
    refunds: list[RefundBooked] = []


class Balance(Struct, frozen=True):
    """One line of the trial balance; debits are positive."""

    account: str
    currency: str
    balance: int
    postings: int


class Webhook(Struct, frozen=True):
    """A webhook as a provider sent it, byte for byte, and its signature."""

    provider: str
    body: bytes
    signature: str


class WebhookReceipt(Struct, frozen=True):
    """A webhook that was signed: the checkout it is about, and whether it was processed before."""

    provider: str
    event_id: str
    checkout_id: CheckoutId | None = None
    done: bool = False
    tries: int = 0


CaseKind = Literal[
    "charged_without_payment",
    "payment_without_charge",
    "amount_differs",
    "refund_differs",
    "authorisation_left",
    "refund_failed",
]


CaseSort = Literal["-opened", "opened", "-difference", "difference", "kind", "-kind"]
CASES_MAX = 500


class CaseCounts(Struct, frozen=True):
    open: int
    resolved: int


class ReconciliationCase(Struct, frozen=True, kw_only=True):
    """A difference between our books and the provider's, for an operator to resolve."""

    case_id: CaseId
    provider: str
    kind: CaseKind
    subject: str
    order_id: OrderId | None
    ours: int
    theirs: int
    currency: str
    detail: str
    opened_at: datetime
    seen_at: datetime
    resolved_at: datetime | None = None
    resolved_by: str = ""
    note: str = ""


class Reconciled(Struct, frozen=True):
    """The outcome of a comparison with the provider's books."""

    provider: str
    checked: int
    differences: int
    opened: int


RULES_MAX = 500
RATE_MAX = 1_000_000
RatePpm = Annotated[int, Meta(ge=0, le=RATE_MAX)]
FixedFee = Annotated[int, Meta(ge=0, le=MINOR_MAX)]


class CommissionRule(Struct, frozen=True):
    """What the shop keeps of a sale: `rate_ppm` of the price, and `fee` a unit.

    It is for a seller, for a category with those below it, for both, or for all."""

    rate_ppm: RatePpm
    fee: FixedFee = 0
    seller_id: SellerId | None = None
    category_id: CategoryId | None = None


class CommissionRules(Struct, frozen=True):
    """The rules in their order, of which the first that matches holds; `version` counts their changes."""

    rules: Annotated[list[CommissionRule], Meta(max_length=RULES_MAX)]
    version: int
    default_ppm: int
    """What holds where no rule matches."""


class NewCommissionRules(Struct, frozen=True):
    """All rules anew; `version`: of those that they replace, where somebody else may change them too."""

    rules: Annotated[list[CommissionRule], Meta(max_length=RULES_MAX)]
    version: int | None = None


class SellerBalance(Struct, frozen=True):
    """What a seller's account in the journal comes to, by state: the three add up to it."""

    pending: int
    available: int
    reserved: int
    currency: str


LineKind = Literal[
    "sale",
    "commission",
    "fee",
    "delivery",
    "tax",
    "discount",
    "refund",
    "reserve",
    "release",
    "payout_failed",
]
MoneyState = Literal["pending", "available", "reserved"]


class EarningLine(Struct, frozen=True, kw_only=True):
    """A line of a seller's account: what came in is positive. `reference`: of what it was booked for."""

    line_id: int
    kind: LineKind
    order_id: OrderId | None
    reference: int
    amount: int
    currency: str
    at: datetime
    state: MoneyState | None = None
    """None once it was paid out."""


PayoutStatus = Literal["pending", "paid", "failed"]


class Payout(Struct, frozen=True, kw_only=True):
    """What was paid out to a seller, or is about to be. `account`: where to; its last digits alone."""

    payout_id: PayoutId
    seller_id: SellerId
    run: str
    status: PayoutStatus
    amount: int
    currency: str
    account: str
    reason: str
    made_at: datetime
    ended_at: datetime | None = None


class Statement(Struct, frozen=True):
    """What a payout is made of: the sums of its lines by kind, which add up to its amount."""

    payout: Payout
    totals: dict[str, int]
    count: int


ACCOUNT_MAX = 40
HOLDER_MAX = 140
AccountHolder = Annotated[str, Meta(min_length=1, max_length=HOLDER_MAX, pattern=SEEN_LINE)]
AccountNumber = Annotated[str, Meta(min_length=4, max_length=ACCOUNT_MAX)]
BankCode = Annotated[str, Meta(max_length=20, pattern=r"^[A-Za-z0-9 -]*$")]


class NewPayoutAccount(Struct, frozen=True):
    """The bank account that a seller is paid to: an IBAN, or a number and the code of its bank."""

    holder: AccountHolder
    account: AccountNumber
    bank: BankCode = ""


class PayoutAccount(Struct, frozen=True):
    """Where a seller is paid to, as far as the shop keeps it. `refused`: the last payout was not taken."""

    holder: str
    account: str
    bank: str
    ready: bool
    refused: bool
    changed_at: datetime | None = None


NotPaidBecause = Literal["below_minimum", "no_account", "account_refused", "seller_suspended"]


class NotPaid(Struct, frozen=True):
    """Somebody whom a run does not pay although something is available, or owed, and why."""

    seller_id: SellerId
    amount: int
    why: NotPaidBecause


class PayoutRun(Struct, frozen=True):
    """What a run paid out, or would; `run` names it."""

    run: str
    payouts: list[Payout]
    not_paid: list[NotPaid]
    currency: str


class RulesChanged(Conflict):
    """Somebody else changed the rules meanwhile. Read them again, and make your change to those."""


class PayoutsNotSetUp(Conflict):
    """Payouts go to the sandbox, which moves no money, while cards pay real money: set a payout provider."""


class PaymentDeclined(PaymentRequired):
    """The payment did not go through. No money has moved; try another card."""


class PaymentUnavailable(PaymentRequired):
    """The bank could not be reached. No money has moved; try again, or another card."""


class GiftCardUnknown(Invalid):
    """We know no gift card of this code. Look at it once more; its dashes and spaces do not matter."""


class GiftCardNotUsable(Invalid):
    """This gift card cannot be used."""


class GiftCardSpent(Conflict):
    """Your gift card or store credit has less on it than a moment ago. Nothing was charged: look at the new
    total, then order again."""


class CreditTooSmall(Conflict):
    """There is less store credit than that."""


class RefundTooLarge(Conflict):
    """That is more than is left of what was paid."""
