"""Which commission a sale costs: decisions without IO."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from mercat import money
from mercat.ids import CategoryId, SellerId
from mercat.payments.messages import CommissionRule, SellerPart

_DEPTH_MAX = 100


def within(amount: int, commission: int, fee: int) -> tuple[int, int]:
    """Answer a commission and a fixed fee that together are never more than what they are taken of."""
    ours = min(commission, amount)
    return ours, min(fee, amount - ours)


def kept_of_part(part: SellerPart, default_ppm: int = 0) -> tuple[int, int]:
    """Answer the commission and the fixed fee that the shop keeps of a seller's part; at the default rate
    where that was not decided."""
    ours = money.tax(part.amount, default_ppm) if part.commission is None else part.commission
    return within(part.amount, ours, part.fee)


class Sold(NamedTuple):
    """Units of one thing in a purchase."""

    seller_id: SellerId
    category_id: CategoryId
    amount: int
    quantity: int


class CommissionTable:
    """Rules in their order, and the tree of categories: a rule of a category is for those below it too."""

    def __init__(
        self,
        rules: Sequence[CommissionRule],
        default_ppm: int,
        parents: Mapping[CategoryId, CategoryId | None] | None = None,
    ) -> None:
        self._rules = rules
        self._default = CommissionRule(default_ppm)
        self._parents = parents or {}
        self._found: dict[tuple[SellerId | None, CategoryId], CommissionRule] = {}

    def rule(self, seller_id: SellerId | None, category_id: CategoryId) -> CommissionRule:
        """Return the first rule that matches a sale, or the shop's default."""
        asked = seller_id, category_id
        found = self._found.get(asked)
        if found is None:
            found = self._found[asked] = self._first(seller_id, self._path(category_id))
        return found

    def place(self, seller_id: SellerId | None, category_id: CategoryId) -> int | None:
        """Return the place of the rule that matches in its list; None where none does."""
        found = self.rule(seller_id, category_id)
        return next((n for n, rule in enumerate(self._rules) if rule is found), None)

    def kept_of(self, seller_id: SellerId, category_id: CategoryId, price: int) -> tuple[int, int]:
        """Return the commission and the fixed fee of one unit: together never more than its price."""
        return within(price, *self._kept([Sold(seller_id, category_id, price, 1)])[seller_id])

    def decided(self, parts: Sequence[SellerPart], sold: Sequence[Sold]) -> list[SellerPart]:
        """Say of each seller's part what the shop keeps of it, by what was sold."""
        kept = self._kept(sold)
        none = (0, 0)
        return [
            replace(part, commission=kept.get(part.seller_id, none)[0], fee=kept.get(part.seller_id, none)[1])
            for part in parts
        ]

    def _kept(self, sold: Sequence[Sold]) -> dict[SellerId, tuple[int, int]]:
        """Each rate is taken of the sum that it is for, so that rounding is once a rate."""
        by_rate: dict[tuple[SellerId, int], int] = {}
        fees: dict[SellerId, int] = {}
        for each in sold:
            rule = self.rule(each.seller_id, each.category_id)
            rate = each.seller_id, rule.rate_ppm
            by_rate[rate] = by_rate.get(rate, 0) + each.amount
            fees[each.seller_id] = fees.get(each.seller_id, 0) + rule.fee * each.quantity
        ours = dict.fromkeys(fees, 0)
        for (seller_id, rate_ppm), amount in by_rate.items():
            ours[seller_id] += money.tax(amount, rate_ppm)
        return {seller_id: (ours[seller_id], fee) for seller_id, fee in fees.items()}

    def _first(self, seller_id: SellerId | None, path: Sequence[CategoryId]) -> CommissionRule:
        for rule in self._rules:
            if rule.seller_id in (None, seller_id) and (rule.category_id is None or rule.category_id in path):
                return rule
        return self._default

    def _path(self, category_id: CategoryId) -> list[CategoryId]:
        path: list[CategoryId] = []
        at: CategoryId | None = category_id
        while at is not None and len(path) < _DEPTH_MAX:
            path.append(at)
            at = self._parents.get(at)
        return path
