"""Where a payment's money belongs, what a token may look like, and what differs between two books.

The accounts, debits positive: `provider` (what they hold for us), `seller:<id>`, `delivery:<id>` and
`tax:<id>` (payable to a seller for goods, for delivery, and for tax that they remit themselves), `commission`
(fixed fees too), `shipping` (deliveries that are no seller's), `tax` (which the shop remits), `discounts`
(what the shop gave away), `refunds` (decided, and not yet paid back), `payouts` (decided, and not yet
transferred), `shopper` (money that is held for nobody's order, until it is given back), `gift_cards` and
`store_credit` (what people may still spend here), `credit_issued` (what the shop put there).
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from mercat import money
from mercat.payments.commission_table import kept_of_part
from mercat.payments.messages import CaseKind, Charge, LineKind, RefundRequest, ValueKind
from mercat.payments.provider import ListedCharge

Postings = tuple[list[str], list[int]]
Split = dict[str, int]
"""What of an amount belongs to which account, a seller's before commission; a discount is negative."""


ACCOUNT_OF: dict[ValueKind, str] = {"gift_card": "gift_cards", "store_credit": "store_credit"}
_PAID_BY = frozenset({"provider", *ACCOUNT_OF.values()})
"""What a capture debits: where the money came from, not whose it is."""

Kept = dict[str, tuple[int, int]]
"""The commission and the fixed fees that the shop kept of each seller's part, by account."""


class Captured(NamedTuple):
    """What was booked when the money came, the sellers' parts of it before commission, and what the shop kept
    of each."""

    postings: Split
    gross: Split
    kept: Kept | None = None

    def kept_of(self, account: str) -> int:
        """Return what the shop kept of a seller's part; where 0.1.0 captured, what the postings say."""
        if self.kept and account in self.kept:
            return sum(self.kept[account])
        return self.gross[account] + self.postings.get(account, 0)


def kept(charge: Charge, commission_ppm: int) -> Kept:
    """Return what the shop keeps of each seller's part: never more than the part."""
    return {f"seller:{int(part.seller_id)}": kept_of_part(part, commission_ppm) for part in charge.sellers}


def capture(charge: Charge, kept: Kept) -> Postings:
    """Debit the provider, and what gift cards and store credit pay; credit sellers (goods less what the shop
    keeps of them), commission and tax."""
    accounts, amounts = ["provider"], [charge.by_card]
    for kind, account in ACCOUNT_OF.items():
        if tendered := sum(tender.amount for tender in charge.tenders if tender.kind == kind):
            accounts.append(account)
            amounts.append(tendered)
    commission = 0
    whole = charge.shipping + charge.tax
    for part in charge.sellers:
        account = f"seller:{int(part.seller_id)}"
        ours = sum(kept[account])
        commission += ours
        whole += part.amount + part.delivery
        accounts.append(account)
        amounts.append(ours - part.amount)
        if part.delivery:
            accounts.append(f"delivery:{int(part.seller_id)}")
            amounts.append(-part.delivery)
        if part.tax:
            accounts.append(f"tax:{int(part.seller_id)}")
            amounts.append(-part.tax)
    owed = (
        ("commission", commission),
        ("shipping", charge.shipping),
        ("tax", charge.tax - sum(part.tax for part in charge.sellers)),
        ("discounts", charge.amount - whole),
    )
    for account, amount in owed:
        if amount:
            accounts.append(account)
            amounts.append(-amount)
    return accounts, amounts


def gross(charge: Charge) -> Split:
    return {f"seller:{int(part.seller_id)}": part.amount for part in charge.sellers}


def split(captured: Captured, before: Split, refund: RefundRequest) -> Split:
    """Part a refund by account: as it says, where each account has that much; otherwise by share. All that is
    left leaves nothing on any account, also where it comes to nothing."""
    left = {account: amount - before.get(account, 0) for account, amount in _parts(captured).items()}
    wanted = {f"seller:{int(part.seller_id)}": part.amount for part in refund.sellers}
    if "shipping" in left:  # of an order whose delivery was the shop's
        wanted["shipping"] = sum(part.delivery for part in refund.sellers)
    else:
        wanted |= {f"delivery:{int(part.seller_id)}": part.delivery for part in refund.sellers}
    theirs = {f"tax:{int(part.seller_id)}": part.tax for part in refund.sellers}
    theirs = {account: amount for account, amount in theirs.items() if account in left}
    wanted |= theirs | {"tax": refund.tax - sum(theirs.values()), "discounts": -refund.discount}
    wanted = {account: amount for account, amount in wanted.items() if amount}
    fits = all(
        min(0, left.get(account, 0)) <= amount <= max(0, left.get(account, 0))
        for account, amount in wanted.items()
    )
    if wanted and fits and sum(wanted.values()) == refund.amount:
        return wanted
    if refund.sellers and not refund.amount:  # what sellers bear alone, or what was given back otherwise
        return {f"seller:{int(part.seller_id)}": 0 for part in refund.sellers}
    return _shares(left, refund.amount)


def refund(captured: Captured, before: Split, parts: Split, stored: Split | None = None) -> Postings:
    """Debit a refund's parts to their accounts; credit `stored` to those of gift cards and store credit, and
    the rest to `refunds`.

    A seller gives the price less the commission, which the shop gives. All refunds together reverse a capture
    to the cent: each is the difference of what is reversed after and before it."""
    stored = stored or {}
    postings = {"refunds": sum(stored.values()) - sum(parts.values())}
    postings |= {account: -amount for account, amount in stored.items()}
    commission = 0
    for account, amount in parts.items():
        ours = _given_back(captured, before, account, amount)
        commission += ours
        postings[account] = amount - ours
    if commission:
        postings["commission"] = commission
    if len(postings) == 1:
        postings["provider"] = 0  # an entry has two sides
    return list(postings), list(postings.values())


def _given_back(captured: Captured, before: Split, account: str, amount: int) -> int:
    """Return what the shop gives back of what it kept, when so much of a seller's part is paid back."""
    price = captured.gross.get(account)
    if not price:
        return 0
    whole, earlier = captured.kept_of(account), before.get(account, 0)
    return whole * (earlier + amount) // price - whole * earlier // price


BookedLine = tuple[int, LineKind, int]
"""A seller, the kind and the amount of a line of their account."""
_SELLER = "seller"
_AS_POSTED: dict[str, LineKind] = {"delivery": "delivery", "tax": "tax"}
"""Accounts of sellers whose postings stand as they are, by how they begin."""


def lines_of_capture(captured: Captured) -> list[BookedLine]:
    """List the lines of sellers' accounts that a capture makes. What was posted to a seller beside the price
    less what the shop kept stands as a discount, whatever it is."""
    lines: list[BookedLine] = []
    for account, amount in captured.postings.items():
        kind, _, number = account.partition(":")
        if number and kind in _AS_POSTED:
            lines.append((int(number), _AS_POSTED[kind], -amount))
        elif kind == _SELLER:
            price = captured.gross.get(account, 0)
            whole = captured.kept_of(account) if price else 0
            _, fee = (captured.kept or {}).get(account, (0, 0))
            seller_id = int(number)
            lines.append((seller_id, "sale", price))
            if whole != fee:
                lines.append((seller_id, "commission", fee - whole))
            if fee:
                lines.append((seller_id, "fee", -fee))
            if discount := whole - price - amount:
                lines.append((seller_id, "discount", discount))
    return lines


def lines_of_refund(captured: Captured, before: Split, parts: Split, postings: Split) -> list[BookedLine]:
    """List the lines of sellers' accounts that a refund makes: what they give, and the commission back."""
    lines: list[BookedLine] = []
    for account, amount in postings.items():
        kind, _, number = account.partition(":")
        if number and kind in _AS_POSTED:
            lines.append((int(number), _AS_POSTED[kind], -amount))
        elif kind == _SELLER:
            ours = _given_back(captured, before, account, parts.get(account, 0))
            lines.append((int(number), "refund", -amount - ours))
            if ours:
                lines.append((int(number), "commission", ours))
    return lines


def paid_back(amount: int) -> Postings:
    """Credit the provider with a refund that was paid."""
    return ["refunds", "provider"], [amount, -amount]


CAME_BACK = ["provider", "refunds"]
"""The accounts of a refund that failed after it was booked as paid: the provider holds the money again, and
we owe it."""


def _parts(captured: Captured) -> Split:
    """Part a capture by account, sellers before commission."""
    owed = {account: -amount for account, amount in captured.postings.items() if account not in _PAID_BY}
    if captured.gross:
        owed.pop("commission", None)
    return owed | captured.gross


def _shares(left: Split, amount: int) -> Split:
    accounts = [account for account, part in left.items() if part > 0]
    given_away = left.get("discounts", 0)
    whole = sum(left.values())
    if amount == whole:
        return {account: part for account, part in left.items() if part}
    discount = given_away * amount // whole if whole else 0
    shares = money.allocate(amount - discount, [left[account] for account in accounts])
    parts = dict(zip(accounts, shares, strict=True))
    if discount:
        parts["discounts"] = discount
    return {account: part for account, part in parts.items() if part}


def shares_back(remaining: Sequence[int], amount: int, step: int) -> list[int]:
    """Part a refund among what paid: in proportion to what each paid and has not got back, in whole steps of
    the currency, by the largest remainder. What is left of all is what is left of each."""
    if amount % step or any(each % step for each in remaining):
        step = 1
    shares = money.allocate(amount // step, [each // step for each in remaining])
    return [share * step for share in shares]


_CARD_NUMBER = re.compile(r"(?:\d[ -]?){12,19}")


def token_problem(token: str, known: re.Pattern[str]) -> str | None:
    """Say why a text is not the token of a card; None where it is. The words never repeat the text."""
    if _CARD_NUMBER.search(token):
        return "This looks like a card number. Send the provider's token."
    return None if known.fullmatch(token) else "The provider knows no such token."


class BookedPayment(NamedTuple):
    """A payment in our books. `paying_back`: a refund is on its way."""

    order_id: int
    status: str
    amount: int
    currency: str
    refunded: int
    paying_back: bool


class BookDifference(NamedTuple):
    """What differs between the two books, and both amounts."""

    kind: CaseKind
    ours: int
    theirs: int
    detail: str = ""


def differences(theirs: ListedCharge, ours: BookedPayment | None) -> list[BookDifference]:
    """Compare a charge in the provider's books with our payment of the same checkout."""
    status = ours.status if ours else ""
    if theirs.state == "authorised" and status != "action_required":
        detail = "Money is held for a checkout that never took it."
        return [BookDifference("authorisation_left", 0, theirs.amount, detail)]
    if ours is None or status != "captured":
        taken = theirs.state == "captured" and theirs.refunded != theirs.amount
        return [BookDifference("charged_without_payment", 0, theirs.amount)] if taken else []
    if theirs.state != "captured":
        return [BookDifference("payment_without_charge", ours.amount, 0)]
    found: list[BookDifference] = []
    if (ours.amount, ours.currency) != (theirs.amount, theirs.currency):
        detail = "" if ours.currency == theirs.currency else f"Ours is in {ours.currency}."
        found.append(BookDifference("amount_differs", ours.amount, theirs.amount, detail))
    if ours.refunded != theirs.refunded and not ours.paying_back:
        found.append(BookDifference("refund_differs", ours.refunded, theirs.refunded))
    return found
