"""Where a payment's money belongs: decisions without IO."""

from collections.abc import Sequence

from mercat import money
from mercat.payments.messages import Charge

Postings = tuple[list[str], list[int]]


def capture(charge: Charge, commission_ppm: int) -> Postings:
    """Debits the provider with all of it; credits sellers (less commission), commission, shipping and tax."""
    accounts, amounts = ["provider"], [charge.amount]
    commission = 0
    for part in charge.sellers:
        ours = money.tax(part.amount, commission_ppm)
        commission += ours
        accounts.append(f"seller:{int(part.seller_id)}")
        amounts.append(ours - part.amount)
    for account, amount in (("commission", commission), ("shipping", charge.shipping), ("tax", charge.tax)):
        if amount:
            accounts.append(account)
            amounts.append(-amount)
    return accounts, amounts


def refund(captured: Postings, before: int, amount: int) -> Postings:
    """The reversal of a part of a capture. All refunds together reverse it to the cent: each one is the
    difference between what is reversed after it and before it, by largest remainder."""
    accounts, amounts = captured
    owed = [-posted for posted in amounts[1:]]
    earlier, later = money.allocate(before, owed), money.allocate(before + amount, owed)
    return ["provider", *accounts[1:]], [-amount, *_differences(earlier, later)]


def _differences(earlier: Sequence[int], later: Sequence[int]) -> list[int]:
    return [after - before for before, after in zip(earlier, later, strict=True)]
