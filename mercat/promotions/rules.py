"""What promotions take off a basket, and why others do not. Decisions without IO.

The order is declared: the higher priority first, and of one priority the older. Each takes what it takes of
what those before it left. One that does not combine stands alone: of all that combine together, and each of
the others by itself, that is taken which saves the shopper the most; where that is the same, all together,
then the first. No order of lines matters, and no price falls below nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec import Struct, structs

from mercat import money
from mercat.events import AppliedDiscount
from mercat.ids import CheckoutId, PromotionId, SellerId, UserId
from mercat.kit.people import hashed_email
from mercat.kit.text import normal_code
from mercat.pricing import Reduction
from mercat.promotions import wording
from mercat.promotions.benefits import BENEFITS
from mercat.promotions.conditions import CONDITIONS
from mercat.promotions.kinds import Reducible, ShopperFacts, read_terms
from mercat.promotions.messages import (
    CodeState,
    Gift,
    PricedGoods,
    Promotion,
    PromotionOnGoods,
    PromotionState,
    Redeem,
    Reduced,
    ReductionAsk,
    Tried,
    Use,
    UsedUp,
    Why,
)

TRIED_MAX = 40
"""Promotions that an order keeps of those that were looked at."""
FIRST_ORDERS = PromotionId(0)
"""Under which it is counted who has had what is for a first order."""


class LiveRule(NamedTuple):
    """A promotion with its terms as they are read: each condition and the benefit with its value.

    What each basket asks of it is worked out once, when it is read."""

    promotion: Promotion
    order: tuple[int, int]
    automatic: bool
    """It needs no code."""
    of_lines: list[tuple[Any, Any]]
    of_baskets: list[tuple[Any, Any]]
    benefit: Any
    value: Any
    delivers: bool
    """It is about the delivery."""
    gives: bool
    """Something comes along for nothing."""
    words: str
    """What it does, for shoppers."""

    @property
    def is_limited(self) -> bool:
        return self.promotion.limit is not None or self.promotion.budget is not None

    def used(self, uses: int, spent: int) -> "LiveRule":
        """Answer the same, as far as it is used now."""
        return self._replace(promotion=structs.replace(self.promotion, uses=uses, spent=spent))


class KnownCode(Struct, frozen=True):
    """A code that exists: whose, whether it is used, and whether its promotion has ended."""

    shown: str
    promotion_id: PromotionId
    single_use: bool = False
    used: bool = False
    ended: bool = False


class Known(NamedTuple):
    """What is looked up for a basket: its codes by their compared form, and how often its shopper used what
    is limited by person."""

    codes: Mapping[str, KnownCode] = {}
    uses: Mapping[PromotionId, int] = {}
    shopper: ShopperFacts = ShopperFacts()


class _Candidate(NamedTuple):
    """A promotion for a basket: the lines that are meant, and the code that asked for it."""

    rule: LiveRule
    lines: list[int]
    code: KnownCode | None


class _Step(NamedTuple):
    """What a candidate takes off each line and each delivery, in all `amount`, or why it takes nothing."""

    candidate: _Candidate
    lines: list[int]
    parts: list[int]
    amount: int
    why: Why | None = None

    @property
    def gives(self) -> bool:
        return self.candidate.rule.gives


def live(promotion: Promotion, currency: str = "USD") -> LiveRule:
    """Read a promotion's terms; Invalid for what they cannot be."""
    when = read_terms(CONDITIONS, promotion.when, "/when")
    then = read_terms(BENEFITS, promotion.then, "/then")
    [(name, value)] = then.items()
    benefit = BENEFITS[name]
    conditions = [(CONDITIONS[each], when[each]) for each in sorted(when)]
    return LiveRule(
        promotion=promotion,
        order=(-promotion.priority, promotion.promotion_id),
        automatic=promotion.code is None and not promotion.has_codes,
        of_lines=[each for each in conditions if hasattr(each[0], "fits")],
        of_baskets=[each for each in conditions if hasattr(each[0], "holds")],
        benefit=benefit,
        value=value,
        delivers=getattr(benefit, "DELIVERY", False),
        gives=getattr(benefit, "GIVES", False),
        words=wording.does_in_words(promotion, currency),
    )


def apply(
    rules: Sequence[LiveRule], ask: ReductionAsk, known: Known, currency: str, now: datetime
) -> Reduced:
    """Answer what these promotions take off a basket, and what became of each code and rule."""
    why: dict[PromotionId, Why] = {}
    candidates, codes, looked_at = _candidates(rules, ask, known, now, why)
    best = _best(candidates, ask, known, currency)
    for step in best:
        if step.why:
            why[step.candidate.rule.promotion.promotion_id] = step.why
    taken = {step.candidate.rule.promotion.promotion_id: step for step in best if not step.why}
    for each in candidates:
        if (promotion_id := each.rule.promotion.promotion_id) not in taken:
            why.setdefault(promotion_id, "does_not_combine")
    tried = [
        Tried(
            promotion_id,
            taken[promotion_id].amount if promotion_id in taken else 0,
            why.get(promotion_id),
            code.shown if code else "",
        )
        for promotion_id, code in looked_at.items()
    ]
    return Reduced(
        [_reduction(step) for step in taken.values() if not step.gives],
        [_code_state(given, known, why, taken, codes) for given in ask.codes],
        [use for step in taken.values() if (use := _use(step))],
        sorted(tried, key=lambda each: each.why is not None)[:TRIED_MAX],
        _free_from(rules, ask, known, now, taken.values()),
        [_gift(step) for step in taken.values() if step.gives],
    )


def _candidates(
    rules: Sequence[LiveRule],
    ask: ReductionAsk,
    known: Known,
    now: datetime,
    why: dict[PromotionId, Why],
) -> tuple[list[_Candidate], dict[str, Why], dict[PromotionId, KnownCode | None]]:
    """Sort out which promotions may apply; note why of those that may not, by promotion and by code."""
    by_promotion: dict[PromotionId, KnownCode] = {}
    codes: dict[str, Why] = {}
    for given in dict.fromkeys(map(normal_code, ask.codes)):
        found = known.codes.get(given)
        if found is None:
            codes[given] = "code_unknown"
        elif found.used:
            codes[given] = "code_used_up"
        elif found.promotion_id in by_promotion:
            codes[given] = "does_not_combine"
        else:
            by_promotion[found.promotion_id] = found
    sellers = {line.seller_id for line in ask.goods}
    candidates: list[_Candidate] = []
    looked_at: dict[PromotionId, KnownCode | None] = {}
    for rule in sorted(rules, key=attrgetter("order")):
        promotion = rule.promotion
        code = by_promotion.get(promotion.promotion_id)
        if code is None and not (
            rule.automatic and _is_live(promotion, now) and _concerns(promotion, sellers)
        ):
            continue
        looked_at[promotion.promotion_id] = code
        lines = _meant(rule, ask.goods)
        refused = _refusal(rule, [ask.goods[n] for n in lines], known, now)
        if refused:
            why[promotion.promotion_id] = refused
        else:
            candidates.append(_Candidate(rule, lines, code))
    for given, found in known.codes.items():
        if found.promotion_id not in looked_at:  # of a promotion that is over for long
            codes.setdefault(given, "code_expired")
    return candidates, codes, looked_at


def state_of(promotion: Promotion, now: datetime) -> PromotionState:
    """Say whether a promotion is live, scheduled or ended."""
    if promotion.ends_at is not None and promotion.ends_at <= now:
        return "ended"
    return "scheduled" if promotion.starts_at is not None and now < promotion.starts_at else "live"


def on_goods(
    rules: Sequence[LiveRule], goods: PricedGoods, currency: str, now: datetime
) -> list[PromotionOnGoods]:
    """List what applies to goods by itself now, in its order: what it does, and what it asks for."""
    return [
        PromotionOnGoods(rule.promotion.name, rule.words, wording.asks_in_words(rule.promotion, currency))
        for rule in sorted(rules, key=attrgetter("order"))
        if _is_public(rule) and _is_live(rule.promotion, now) and _meant(rule, [goods])
    ]


def _is_public(rule: LiveRule) -> bool:
    """Say whether a promotion may apply for anybody, without a code."""
    promotion = rule.promotion
    used_up = (promotion.limit is not None and promotion.uses >= promotion.limit) or (
        promotion.budget is not None and promotion.spent >= promotion.budget
    )
    return rule.automatic and not used_up and "customer_group" not in promotion.when


def _is_live(promotion: Promotion, now: datetime) -> bool:
    return state_of(promotion, now) == "live"


def _concerns(promotion: Promotion, sellers: Iterable[SellerId]) -> bool:
    return promotion.seller_id is None or promotion.seller_id in sellers


def _meant(rule: LiveRule, goods: Sequence[PricedGoods]) -> list[int]:
    """Answer which lines a promotion is about; a seller's, their own alone."""
    seller_id, of_lines = rule.promotion.seller_id, rule.of_lines
    return [
        n
        for n, line in enumerate(goods)
        if (seller_id is None or seller_id == line.seller_id)
        and not line.is_money
        and (not of_lines or all(kind.fits(value, line) for kind, value in of_lines))
    ]


def _refusal(
    rule: LiveRule, matching: list[PricedGoods], known: Known, now: datetime, but: str = ""
) -> Why | None:
    """Say why a promotion does not apply to these lines of this shopper; None where it does. `but`: a
    condition that is not asked."""
    promotion = rule.promotion
    state = state_of(promotion, now)
    if state != "live":
        return "code_expired" if state == "ended" else "code_unknown"
    most, budget = promotion.limit, promotion.budget
    by_person = promotion.limit_per_customer
    used_up = (
        (most is not None and promotion.uses >= most)
        or (budget is not None and promotion.spent >= budget)
        or (by_person is not None and known.uses.get(promotion.promotion_id, 0) >= by_person)
    )
    if used_up:
        return "code_used_up"
    if not matching:
        return "not_for_these_goods"
    for kind, value in rule.of_baskets:
        if but != kind.NAME and not kind.holds(value, matching, known.shopper):
            return kind.WHY
    return None


def _best(candidates: list[_Candidate], ask: ReductionAsk, known: Known, currency: str) -> list[_Step]:
    """Choose among what combines, all together, and each of the others by itself."""
    together = [each for each in candidates if each.rule.promotion.combines]
    plans = [together, *([each] for each in candidates if not each.rule.promotion.combines)]
    none: list[_Step] = []
    carried_out = [_carry_out(plan, ask, currency) for plan in plans if plan]
    return max(carried_out, key=_saving, default=none)


def _saving(steps: list[_Step]) -> int:
    return sum(step.amount for step in steps)


def _carry_out(plan: list[_Candidate], ask: ReductionAsk, currency: str) -> list[_Step]:
    """Take each one's benefit of what those before it left."""
    left = [line.unit_price * line.quantity for line in ask.goods]
    parts = ask.parts or []
    parts_left = [part.shipping for part in parts]
    step = money.step(currency)
    steps: list[_Step] = []
    for each in plan:
        rule, goods = each.rule, [ask.goods[n] for n in each.lines]
        sellers = {line.seller_id for line in goods}
        reached = [n for n, part in enumerate(parts) if part.seller_id in sellers]
        reducible = Reducible(goods, [left[n] for n in each.lines], [parts_left[n] for n in reached], step)
        taken = rule.benefit.take(rule.value, reducible)
        lines, waived = [0] * len(left), [0] * len(parts_left)
        for n, off in zip(each.lines, taken.lines, strict=False):
            lines[n] = off
        for n, off in zip(reached, taken.parts, strict=False):
            waived[n] = off
        amount = sum(lines) + sum(waived)
        budget = rule.promotion.budget
        unknown = ask.parts is None and rule.delivers
        why: Why | None = None
        if budget is not None and rule.promotion.spent + amount > budget:
            why = "code_used_up"
        elif not amount and not unknown and not rule.gives:
            why = "does_not_combine" if steps else "not_for_these_goods"
        if why:
            steps.append(_Step(each, [0] * len(left), [0] * len(parts_left), 0, why))
            continue
        for n, off in enumerate(lines):
            left[n] -= off
        for n, off in enumerate(waived):
            parts_left[n] -= off
        steps.append(_Step(each, lines, waived, amount))
    return steps


def _reduction(step: _Step) -> Reduction:
    return Reduction(_shown(step), step.lines, step.parts, step.candidate.rule.promotion.by_seller)


def _gift(step: _Step) -> Gift:
    rule = step.candidate.rule
    promotion = rule.promotion
    return Gift(rule.value.offer_id, _shown(step), promotion.by_seller, promotion.seller_id)


def _shown(step: _Step) -> AppliedDiscount:
    promotion, code = step.candidate.rule.promotion, step.candidate.code
    return AppliedDiscount(
        promotion.promotion_id,
        promotion.name,
        code.shown if code else None,
        sum(step.lines),
        sum(step.parts),
        step.candidate.rule.words,
    )


def _use(step: _Step) -> Use | None:
    """Answer what has to be counted of an applied promotion; None where nothing has."""
    promotion, code = step.candidate.rule.promotion, step.candidate.code
    single = bool(code and code.single_use)
    if not (promotion.limited or single):
        return None
    return Use(promotion.promotion_id, step.amount, code.shown if code and single else "", promotion.name)


def _code_state(
    given: str,
    known: Known,
    why: Mapping[PromotionId, Why],
    taken: Mapping[PromotionId, _Step],
    codes: Mapping[str, Why],
) -> CodeState:
    compared = normal_code(given)
    found = known.codes.get(compared)
    shown = found.shown if found else given
    if refused := codes.get(compared):
        return CodeState(shown, False, refused)
    assert found
    if found.promotion_id in taken:
        return CodeState(shown, True)
    return CodeState(shown, False, why.get(found.promotion_id, "code_expired"))


def _free_from(
    rules: Sequence[LiveRule],
    ask: ReductionAsk,
    known: Known,
    now: datetime,
    taken: Collection[_Step],
) -> int | None:
    """Answer how much is missing for the nearest free delivery that asks for a subtotal and no code; nothing
    where what is taken makes the delivery of all sellers free.

    What would not be taken then is not promised: one that does not combine, and any beside such a one. One
    that is of some of the sellers does not make the delivery free."""
    sellers = {line.seller_id for line in ask.goods if not line.is_money}
    if sellers and sellers <= _sent_free(ask, taken):
        return 0
    if not all(step.candidate.rule.promotion.combines for step in taken):
        return None
    missing: list[int] = []
    for rule in rules:
        promotion = rule.promotion
        least = promotion.when.get("min_subtotal")
        if not (rule.delivers and rule.automatic and promotion.combines and least):
            continue
        matching = [ask.goods[n] for n in _meant(rule, ask.goods)]
        lacking = least - sum(line.unit_price * line.quantity for line in matching)
        if (
            lacking > 0
            and {line.seller_id for line in matching} == sellers
            and not _refusal(rule, matching, known, now, but="min_subtotal")
        ):
            missing.append(lacking)
    return min(missing, default=None)


def _sent_free(ask: ReductionAsk, taken: Collection[_Step]) -> set[SellerId]:
    """Answer whose delivery is taken off. What has a budget may not reach that far as long as it is not known
    what delivery costs."""
    return {
        ask.goods[n].seller_id
        for step in taken
        if (rule := step.candidate.rule).delivers
        and not (ask.parts is None and rule.promotion.budget is not None)
        for n in step.candidate.lines
    }


# -- uses that are counted


def persons(key: bytes, user_id: UserId, email: str | None) -> list[str]:
    """Answer as whom a buyer is counted: their account or session, and their e-mail address, hashed."""
    found = [f"u:{int(user_id)}"]
    if email and normal_code(email):
        found.append("e:" + hashed_email(key, email).hex())
    return found


class Counted(NamedTuple):
    """A promotion's counts and limits as they are under its lock."""

    uses: int
    spent: int
    limit: int | None
    limit_per_customer: int | None
    budget: int | None
    first_order: bool


PersonUses = Mapping[tuple[PromotionId, str], int]


class UseCounts(NamedTuple):
    """What redemptions are decided by, read under locks: promotions, codes with whose they are, how often
    people used what is limited by person, and who has bought."""

    promotions: Mapping[PromotionId, Counted]
    codes: Mapping[str, CheckoutId | None]
    used: PersonUses
    bought: Collection[str] = ()


def grant(
    asks: Sequence[Redeem], people_of: Sequence[Sequence[str]], known: UseCounts
) -> list[UsedUp | None]:
    """Decide, one purchase after the other, who may use what they ask for; None: all of it."""
    now = dict(known.promotions)
    free: dict[str, CheckoutId | None] = {code: None for code, taken in known.codes.items() if taken is None}
    by_person = dict(known.used)
    at_this_moment = UseCounts(now, free, by_person, known.bought)
    decided: list[UsedUp | None] = []
    for ask, people in zip(asks, people_of, strict=True):
        refused = next(
            (
                UsedUp(use.promotion_id, use.name, use.code, why)
                for use in ask.uses
                if (why := _why_not(use, people, at_this_moment))
            ),
            None,
        )
        decided.append(refused)
        if refused:
            continue
        for use in ask.uses:
            counted = now[use.promotion_id]
            now[use.promotion_id] = counted._replace(uses=counted.uses + 1, spent=counted.spent + use.amount)
            free.pop(normal_code(use.code), None)
        for person, promotion_id in person_counts(ask.uses, known.promotions, people):
            key = promotion_id, person
            by_person[key] = by_person.get(key, 0) + 1
    return decided


def person_counts(
    uses: Sequence[Use], counts: Mapping[PromotionId, Counted], people: Sequence[str]
) -> dict[tuple[str, PromotionId], int]:
    """Answer what is counted by person for a purchase, each once, and the most that may be."""
    return {
        (person, promotion_id): most
        for use in uses
        for person, promotion_id, most in person_limits(use, counts[use.promotion_id], people)
    }


def person_limits(use: Use, counted: Counted, people: Sequence[str]) -> list[tuple[str, PromotionId, int]]:
    """List as whom and under which promotion a use counts by person, and the most that may be."""
    found: list[tuple[str, PromotionId, int]] = []
    for person in people:
        if counted.limit_per_customer is not None:
            found.append((person, use.promotion_id, counted.limit_per_customer))
        if counted.first_order:
            found.append((person, FIRST_ORDERS, 1))
    return found


def _why_not(use: Use, people: Sequence[str], known: UseCounts) -> Why | None:
    """Say why people may not use something now; None where they may."""
    counted = known.promotions.get(use.promotion_id)
    if counted is None:
        return "code_used_up"
    if counted.first_order and not set(people).isdisjoint(known.bought):
        return "not_for_you"
    may = (
        (counted.limit is None or counted.uses < counted.limit)
        and (counted.budget is None or counted.spent + use.amount <= counted.budget)
        and (not use.code or normal_code(use.code) in known.codes)
        and all(
            known.used.get((promotion_id, person), 0) < most
            for person, promotion_id, most in person_limits(use, counted, people)
        )
    )
    return None if may else "code_used_up"
