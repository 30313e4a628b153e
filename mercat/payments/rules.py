"""Where a payment's money belongs: decisions without IO.

The accounts, debits positive: `provider` (what they hold for us), `seller:<id>` (payable to a seller),
`commission`, `shipping`, `tax`, `discounts` (what the shop gave away), `refunds` (decided, and not yet paid
back), `shopper` (money that is held for nobody's order, until it is given back).
"""

from typing import NamedTuple

from mercat import money
from mercat.payments.messages import Back, Charge

Postings = tuple[list[str], list[int]]
Split = dict[str, int]
"""What of an amount belongs to which account, a seller's before commission; a discount is negative."""


class Captured(NamedTuple):
    """What was booked when the money came, and the sellers' parts of it before commission."""

    postings: Split
    gross: Split


def capture(charge: Charge, commission_ppm: int) -> Postings:
    """Debits the provider with all of it; credits sellers (less commission), commission, shipping and tax."""
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


def split(captured: Captured, before: Split, back: Back) -> Split:
    """What a refund takes from which account: what it says, where that is there; else every account's
    share."""
    left = {account: amount - before.get(account, 0) for account, amount in _parts(captured).items()}
    said = {f"seller:{int(part.seller_id)}": part.amount for part in back.sellers}
    said |= {"shipping": back.shipping, "tax": back.tax, "discounts": -back.discount}
    said = {account: amount for account, amount in said.items() if amount}
    fits = all(
        min(0, left.get(account, 0)) <= amount <= max(0, left.get(account, 0))
        for account, amount in said.items()
    )
    if said and fits and sum(said.values()) == back.amount:
        return said
    return _shares(left, back.amount)


def refund(captured: Captured, before: Split, back: Split) -> Postings:
    """Takes a refund from its accounts; a seller gives the price less the commission, which the shop gives.
    All refunds together reverse a capture to the cent: each is the difference of what is reversed after and
    before."""
    postings = {"refunds": -sum(back.values())}
    commission = 0
    for account, amount in back.items():
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
    """What was decided has left us."""
    return ["refunds", "provider"], [amount, -amount]


CAME_BACK = ["provider", "refunds"]
"""A refund that failed after it was booked as paid: they hold the money again, and we owe it."""


def _parts(captured: Captured) -> Split:
    """A capture by account, sellers before commission."""
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
    found = dict(zip(accounts, shares, strict=True))
    if discount:
        found["discounts"] = discount
    return {account: part for account, part in found.items() if part}
