"""Where a payment's money belongs, what a token may look like, and what differs between two books.

The accounts, debits positive: `provider` (what they hold for us), `seller:<id>` (payable to a seller),
`commission`, `shipping`, `tax`, `discounts` (what the shop gave away), `refunds` (decided, and not yet paid
back), `shopper` (money that is held for nobody's order, until it is given back).
"""

import re
from typing import NamedTuple

from mercat import money
from mercat.payments.messages import CaseKind, Charge, RefundRequest
from mercat.payments.provider import ListedCharge

Postings = tuple[list[str], list[int]]
Split = dict[str, int]
"""What of an amount belongs to which account, a seller's before commission; a discount is negative."""


class Captured(NamedTuple):
    """What was booked when the money came, and the sellers' parts of it before commission."""

    postings: Split
    gross: Split


def capture(charge: Charge, commission_ppm: int) -> Postings:
    """Debit the provider with all of it; credit sellers (less commission), commission, shipping and tax."""
    accounts, amounts = ["provider"], [charge.amount]
    commission = 0
    whole = charge.shipping + charge.tax
    for part in charge.sellers:
        ours = money.tax(part.amount, commission_ppm)
        commission += ours
        whole += part.amount
        accounts.append(f"seller:{int(part.seller_id)}")
        amounts.append(ours - part.amount)
    owed = (
        ("commission", commission),
        ("shipping", charge.shipping),
        ("tax", charge.tax),
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
    """Part a refund by account: as it says, where each account has that much; otherwise by share."""
    left = {account: amount - before.get(account, 0) for account, amount in _parts(captured).items()}
    wanted = {f"seller:{int(part.seller_id)}": part.amount for part in refund.sellers}
    wanted |= {"shipping": refund.shipping, "tax": refund.tax, "discounts": -refund.discount}
    wanted = {account: amount for account, amount in wanted.items() if amount}
    fits = all(
        min(0, left.get(account, 0)) <= amount <= max(0, left.get(account, 0))
        for account, amount in wanted.items()
    )
    if wanted and fits and sum(wanted.values()) == refund.amount:
        return wanted
    return _shares(left, refund.amount)


def refund(captured: Captured, before: Split, parts: Split) -> Postings:
    """Debit a refund's parts to their accounts and credit `refunds`.

    A seller gives the price less the commission, which the shop gives. All refunds together reverse a capture
    to the cent: each is the difference of what is reversed after and before it."""
    postings = {"refunds": -sum(parts.values())}
    commission = 0
    for account, amount in parts.items():
        ours = 0
        if price := captured.gross.get(account):
            kept, earlier = price + captured.postings.get(account, 0), before.get(account, 0)
            ours = kept * (earlier + amount) // price - kept * earlier // price
        commission += ours
        postings[account] = amount - ours
    if commission:
        postings["commission"] = commission
    return list(postings), list(postings.values())


def paid_back(amount: int) -> Postings:
    """Credit the provider with a refund that was paid."""
    return ["refunds", "provider"], [amount, -amount]


CAME_BACK = ["provider", "refunds"]
"""The accounts of a refund that failed after it was booked as paid: the provider holds the money again, and
we owe it."""


def _parts(captured: Captured) -> Split:
    """Part a capture by account, sellers before commission."""
    owed = {account: -amount for account, amount in captured.postings.items() if account != "provider"}
    if captured.gross:
        owed.pop("commission", None)
    return owed | captured.gross


def _shares(left: Split, amount: int) -> Split:
    accounts = [account for account, part in left.items() if part > 0]
    given_away = left.get("discounts", 0)
    whole = sum(left.values())
    discount = given_away * amount // whole if whole else 0
    shares = money.allocate(amount - discount, [left[account] for account in accounts])
    parts = dict(zip(accounts, shares, strict=True))
    if discount:
        parts["discounts"] = discount
    return {account: part for account, part in parts.items() if part}


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
