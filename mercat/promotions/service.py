"""The verbs of promotions."""

import secrets
from collections.abc import Iterable
from typing import Any, NamedTuple

import asyncpg
import msgspec
from msgspec import UNSET, structs

from mercat import ids
from mercat.events import CategoriesRenamed
from mercat.ids import OrderId, PromotionId, SellerId, UserId
from mercat.kit import clock, codec, people, sql
from mercat.kit.event_log import on
from mercat.kit.once import OnceKey, once_of
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.snapshot import Snapshot
from mercat.kit.text import normal_code, normal_text
from mercat.orders import Orders
from mercat.promotions import rules
from mercat.promotions.benefits import BENEFITS
from mercat.promotions.conditions import CONDITIONS
from mercat.promotions.kinds import ShopperFacts, check_terms
from mercat.promotions.messages import (
    LISTED_MAX,
    STANDING_MAX,
    AddedPromotion,
    CodesAsk,
    CodesExhausted,
    CodeTaken,
    GroupNames,
    NewPromotion,
    PricedGoods,
    Promotion,
    PromotionChange,
    PromotionCode,
    PromotionOnGoods,
    PromotionState,
    Redemption,
    Reduced,
    ReductionAsk,
    StateCounts,
    TooManyPromotions,
)
from mercat.promotions.redeeming import Redeeming
from mercat.settings import Settings

queries = sql.load("mercat.promotions")
_FRESH_S = 0.5
_NO_SUCH = "There is no such promotion."
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE_LETTERS = 12
"""Of 32 letters: 60 bits, so that a code cannot be guessed."""
_CODES_A_STATEMENT = 10_000
_LAST = PromotionId(2**63 - 1)


class StandingRules(NamedTuple):
    """What may apply now or later, found by promotion, by seller (None: the shop's) and by shared code; and
    what is asked of shoppers for it."""

    live: dict[PromotionId, rules.LiveRule]
    by_seller: dict[SellerId | None, list[rules.LiveRule]]
    """Those that need no code."""
    shared: dict[str, rules.KnownCode]
    by_person: list[PromotionId]
    asks_who: bool

    def concerned(
        self, goods: list[PricedGoods], codes: Iterable[rules.KnownCode]
    ) -> dict[PromotionId, rules.LiveRule]:
        """Answer the rules that may be about goods: the shop's, of their sellers, and of these codes."""
        sellers = {None, *(line.seller_id for line in goods)}
        found = [rule for seller_id in sellers for rule in self.by_seller.get(seller_id, ())]
        found += [rule for code in codes if (rule := self.live.get(code.promotion_id))]
        return {rule.promotion.promotion_id: rule for rule in found}


class Promotions:
    """What may be taken off prices, by the shop and by sellers."""

    unhurried = True

    def __init__(self, db: asyncpg.Pool, orders: Orders, settings: Settings) -> None:
        self._db = db
        self._currency = settings.currency
        self._standing: Snapshot[StandingRules] = Snapshot(self._read, _FRESH_S)
        self.redeeming = Redeeming(db, orders, settings.key(people.KEY))
        self.redeem_many = self.redeeming.redeem_many
        self.release_many = self.redeeming.release_many

    # -- setting them up

    async def add(self, new: NewPromotion, once: OnceKey = "") -> AddedPromotion:
        """Set a promotion up. Invalid for terms that cannot be; CodeTaken where another has its code. The
        same again under the same `once` is the same promotion."""
        said = once_of(once, new)
        promotion = _checked(
            Promotion(
                promotion_id=ids.new(PromotionId),
                seller_id=new.seller_id,
                name=normal_text(new.name),
                code=_shown(new.code),
                has_codes=new.codes is not None,
                when=new.when,
                then=new.then,
                starts_at=new.starts_at,
                ends_at=new.ends_at,
                combines=new.combines,
                by_seller=new.by_seller or new.seller_id is not None,
                priority=new.priority,
                limit=new.limit,
                limit_per_customer=new.limit_per_customer,
                budget=new.budget,
                uses=0,
                spent=0,
                created_at=clock.now(),
            )
        )
        async with self._db.acquire() as db, db.transaction():
            if said and (standing := await db.fetchrow(queries.made_once, new.seller_id, said)):
                return AddedPromotion(_promotion(standing), [])
            await _check_room(db, promotion)
            given = (promotion.promotion_id, promotion.seller_id, *_columns(promotion), promotion.created_at)
            if await db.fetchval(queries.add, *given, said) is None:  # by another at this moment
                standing = await db.fetchrow(queries.made_once, new.seller_id, said)
                return AddedPromotion(_promotion(standing), [])
            await self._set_code(db, promotion)
            made = await _make_codes(db, promotion.promotion_id, new.codes, None) if new.codes else []
        self._standing.forget()
        return AddedPromotion(promotion, made)

    async def change(
        self, promotion_id: PromotionId, change: PromotionChange, seller_id: SellerId | None = None
    ) -> Promotion:
        """Change a promotion; of a seller, their own alone. What was bought with it stays as it is."""
        if change.when is not UNSET:
            check_terms(CONDITIONS, change.when, "/when")
        if change.then is not UNSET:
            check_terms(BENEFITS, change.then, "/then")
        async with self._db.acquire() as db, db.transaction():
            row = await db.fetchrow(queries.one_locked, promotion_id, seller_id is None, seller_id)
            before, now = _promotion(row), clock.now()
            given = {name: value for name, value in structs.asdict(change).items() if value is not UNSET}
            if "code" in given:
                given["code"] = _shown(given["code"])
            if "name" in given:
                given["name"] = normal_text(given["name"])
            if before.seller_id is not None:
                given["by_seller"] = True
            after = _checked(structs.replace(before, **given))
            if after.limit is not None and after.limit < after.uses:
                raise Invalid(f"It was used {after.uses} times already.", pointer="/limit")
            if after.budget is not None and after.budget < after.spent:
                raise Invalid("More than that was given already.", pointer="/budget")
            if rules.state_of(before, now) == "ended" != rules.state_of(after, now):
                await _check_room(db, after)
            await db.execute(queries.change, promotion_id, *_columns(after))
            if "code" in given:
                await self._set_code(db, after)
        self._standing.forget()
        return after

    async def remove(self, promotion_id: PromotionId, seller_id: SellerId | None = None) -> None:
        """End a promotion for good, with its codes; orders that had it keep it."""
        asked = promotion_id, seller_id is None, seller_id, clock.now()
        if await self._db.fetchval(queries.delete, *asked) is None:
            raise NotFound(_NO_SUCH)
        self._standing.forget()

    async def one(self, promotion_id: PromotionId, seller_id: SellerId | None = None) -> Promotion:
        """Answer a promotion; of a seller, their own alone."""
        return _promotion(await self._db.fetchrow(queries.one, promotion_id, seller_id is None, seller_id))

    async def listed(
        self,
        seller_id: SellerId | None = None,
        state: PromotionState | None = None,
        before: PromotionId | None = None,
        limit: int = LISTED_MAX,
    ) -> list[Promotion]:
        """List promotions, the newest first; of a seller, their own alone."""
        rows = await self._db.fetch(
            queries.listed, seller_id is None, seller_id, state, clock.now(), before or _LAST, limit
        )
        return [_promotion(row) for row in rows]

    async def counts(self, seller_id: SellerId | None = None) -> StateCounts:
        """Count promotions by how they stand."""
        row = await self._db.fetchrow(queries.counts, seller_id is None, seller_id, clock.now())
        return sql.row(StateCounts, row or {})

    async def names(self, promotion_ids: list[PromotionId]) -> dict[PromotionId, str]:
        """Answer what promotions are called, those that are gone too."""
        rows = await self._db.fetch(queries.named, promotion_ids)
        return {PromotionId(row["promotion_id"]): row["name"] for row in rows}

    async def add_codes(
        self,
        promotion_id: PromotionId,
        ask: CodesAsk,
        seller_id: SellerId | None = None,
        once: OnceKey = "",
    ) -> list[str]:
        """Make so many codes for a single use each, which nobody can guess; the promotion needs one from now
        on. The same again under the same `once` makes none, and answers none."""
        said = once_of(once, ask)
        async with self._db.acquire() as db, db.transaction():
            asked = (promotion_id, seller_id is None, seller_id, said)
            if said and await db.fetchval(queries.codes_made_once, *asked) is None:
                _promotion(await db.fetchrow(queries.one, promotion_id, seller_id is None, seller_id))
                return []
            made = await _make_codes(db, promotion_id, ask, seller_id)
        self._standing.forget()
        return made

    async def codes(
        self, promotion_id: PromotionId, after: str = "", limit: int = 500, seller_id: SellerId | None = None
    ) -> list[PromotionCode]:
        """List the codes for a single use, in their order, with whether they were used."""
        asked = promotion_id, seller_id is None, seller_id, normal_code(after), limit
        rows = await self._db.fetch(queries.codes_of, *asked)
        if not rows:
            await self.one(promotion_id, seller_id)
        return sql.rows(PromotionCode, rows)

    async def groups(self, user_id: UserId) -> list[str]:
        """List the groups that somebody is in."""
        return [row["name"] for row in await self._db.fetch(queries.groups, user_id)]

    async def set_groups(self, user_id: UserId, groups: GroupNames) -> list[str]:
        """Say which groups somebody is in; their case does not matter."""
        names = sorted(set(map(normal_code, groups)))
        await self._db.execute(queries.set_groups, user_id, names)
        return names

    @on(CategoriesRenamed)
    async def follow_categories(self, db: asyncpg.Connection, events: list[CategoriesRenamed]) -> None:
        """Keep what is for goods of a category for the same goods, however it is called. Of one that was
        merged nothing is told: what was for its goods ends, and is not for all of the other's."""
        for event in events:
            await db.execute(queries.rename_categories, codec.text(event.slugs))

    # -- what they take off

    async def reduce_many(self, asks: list[ReductionAsk]) -> list[Reduced]:
        """Answer what promotions take off each of these baskets. Automatic ones without a limit cost no
        statement; all others of a set one each for their codes, for how far limits are used, and for what is
        known of their shoppers."""
        standing = await self._standing.get()
        if not standing.live and not any(ask.codes for ask in asks):
            return [Reduced()] * len(asks)
        codes = await self._codes(asks, standing)
        awaited = {each.promotion_id for each in codes.values() if not each.ended}
        if awaited - standing.live.keys():  # perhaps made this moment, by another process
            self._standing.forget()
            standing = await self._standing.get()
        known = await self._known(asks, standing, codes)
        counted = await self._counted(codes.values(), standing)
        now = clock.now()
        reduced: list[Reduced] = []
        for ask, each in zip(asks, known, strict=True):
            concerned = standing.concerned(ask.goods, each.codes.values())
            concerned |= {which: rule for which, rule in counted.items() if which in concerned}
            reduced.append(rules.apply(list(concerned.values()), ask, each, self._currency, now))
        return reduced

    async def on_goods(self, goods: PricedGoods) -> list[PromotionOnGoods]:
        """List what applies to goods by itself, as it was a moment ago."""
        concerned = (await self._standing.get()).concerned([goods], ())
        return rules.on_goods(list(concerned.values()), goods, self._currency, clock.now())

    async def redemption(self, order_id: OrderId) -> Redemption | None:
        """Answer what became of the uses that an order had counted; None where it had none."""
        row = await self._db.fetchrow(queries.redemption_of, order_id)
        return sql.row(Redemption, row) if row else None

    async def _codes(self, asks: list[ReductionAsk], standing: StandingRules) -> dict[str, rules.KnownCode]:
        given = {normal_code(code) for ask in asks for code in ask.codes}
        if not given:
            return {}
        known = {code: standing.shared[code] for code in given if code in standing.shared}
        if others := sorted(given - known.keys()):
            for row in await self._db.fetch(queries.find_codes, others, clock.now()):
                known[row["code"]] = sql.row(rules.KnownCode, row)
        return known

    async def _counted(
        self, codes: Iterable[rules.KnownCode], standing: StandingRules
    ) -> dict[PromotionId, rules.LiveRule]:
        """Read anew how far promotions are used that have a limit, where their codes are given: who gives one
        just after the last use is told so."""
        given = {each.promotion_id: standing.live.get(each.promotion_id) for each in codes}
        limited = {which: rule for which, rule in given.items() if rule and rule.is_limited}
        if not limited:
            return {}
        rows = await self._db.fetch(queries.used_now, sorted(limited))
        used = {PromotionId(row["promotion_id"]): (row["uses"], row["spent"]) for row in rows}
        return {which: limited[which].used(*counts) for which, counts in used.items()}

    async def _known(
        self, asks: list[ReductionAsk], standing: StandingRules, codes: dict[str, rules.KnownCode]
    ) -> list[rules.Known]:
        """Look up what conditions ask about shoppers, where any does."""
        by_person = standing.by_person
        uses: dict[tuple[str, PromotionId], int] = {}
        bought: set[str] = set()
        groups: dict[int, set[str]] = {}
        people_of: list[list[str]] = [[]] * len(asks)
        if standing.asks_who:
            people_of = [self.redeeming.persons(ask.user_id, ask.email) for ask in asks]
            every = [person for persons in people_of for person in persons]
            rows = await self._db.fetch(queries.facts, [ask.user_id for ask in asks], every, by_person)
            for row in rows:
                if row["kind"] == "use":
                    uses[row["person"], PromotionId(row["id"])] = row["uses"]
                elif row["kind"] == "bought":
                    bought.add(row["person"])
                else:
                    groups.setdefault(row["id"], set()).add(row["name"])
        found: list[rules.Known] = []
        for ask, persons in zip(asks, people_of, strict=True):
            most = {
                promotion_id: max(uses.get((person, promotion_id), 0) for person in persons)
                for promotion_id in by_person
            }
            given = {code: codes[code] for code in map(normal_code, ask.codes) if code in codes}
            shopper = ShopperFacts(
                frozenset(groups.get(ask.user_id, ())), bought.isdisjoint(persons), ask.country
            )
            found.append(rules.Known(given, most, shopper))
        return found

    async def _read(self) -> StandingRules:
        rows = await self._db.fetch(queries.standing, clock.now())
        found = StandingRules({}, {}, {}, [], False)
        asks_who = False
        for rule in (rules.live(_promotion(row), self._currency) for row in rows):
            promotion = rule.promotion
            found.live[promotion.promotion_id] = rule
            if rule.automatic:
                found.by_seller.setdefault(promotion.seller_id, []).append(rule)
            if code := promotion.code:
                found.shared[normal_code(code)] = rules.KnownCode(code, promotion.promotion_id)
            if promotion.limit_per_customer is not None:
                found.by_person.append(promotion.promotion_id)
            asks_who = asks_who or promotion.first_order or "customer_group" in promotion.when
        return found._replace(asks_who=asks_who or bool(found.by_person))

    async def _set_code(self, db: Any, promotion: Promotion) -> None:
        if promotion.code is None:
            await db.execute(queries.drop_shared_code, promotion.promotion_id)
            return
        code = normal_code(promotion.code)
        if await db.fetchval(queries.set_shared_code, promotion.promotion_id, code, promotion.code) is None:
            raise CodeTaken(pointer="/code")


async def _check_room(db: Any, promotion: Promotion) -> None:
    """Refuse one more that stands than a seller, or the shop, may have; who sets up at once waits."""
    now = clock.now()
    if rules.state_of(promotion, now) == "ended":
        return
    await db.execute(queries.lock_standing, promotion.seller_id)
    if await db.fetchval(queries.count_standing, promotion.seller_id, now) >= STANDING_MAX:
        raise TooManyPromotions


async def _make_codes(
    db: Any, promotion_id: PromotionId, ask: CodesAsk, seller_id: SellerId | None
) -> list[str]:
    """Make codes for a promotion, of a seller for their own alone; it needs one from now on."""
    try:
        found = await db.fetchval(queries.need_codes, promotion_id, seller_id is None, seller_id, ask.count)
    except asyncpg.CheckViolationError:
        raise CodesExhausted(pointer="/count") from None
    if found is None:
        raise NotFound(_NO_SUCH)
    begins = normal_text(ask.prefix)
    made: list[str] = []
    while len(made) < ask.count:
        new = [_new_code(begins) for _ in range(min(_CODES_A_STATEMENT, ask.count - len(made)))]
        rows = await db.fetch(queries.add_codes, promotion_id, list(map(normal_code, new)), new)
        made += [row["shown"] for row in rows]
    return made


def _columns(promotion: Promotion) -> tuple[Any, ...]:
    return (
        promotion.name,
        promotion.code,
        promotion.has_codes,
        codec.text({"when": promotion.when, "then": promotion.then}),
        promotion.starts_at,
        promotion.ends_at,
        promotion.combines,
        promotion.by_seller,
        promotion.priority,
        promotion.limit,
        promotion.limit_per_customer,
        promotion.budget,
    )


class _Terms(msgspec.Struct):
    when: dict[str, Any]
    then: dict[str, Any]


def _promotion(row: Any) -> Promotion:
    if row is None:
        raise NotFound(_NO_SUCH)
    terms = codec.decode(row["rule"], _Terms)
    given = dict(row) | {"when": terms.when, "then": terms.then}
    given |= {
        "limit": row["uses_max"],
        "limit_per_customer": row["person_max"],
    }
    return sql.row(Promotion, {name: given[name] for name in Promotion.__struct_fields__})


def _checked(promotion: Promotion) -> Promotion:
    """Answer a promotion whose terms can be; Invalid otherwise."""
    if len(promotion.then) != 1:
        raise Invalid("A promotion does exactly one thing.", pointer="/then")
    if promotion.starts_at and promotion.ends_at and promotion.ends_at <= promotion.starts_at:
        raise Invalid("It ends after it starts.", pointer="/ends_at")
    check_terms(CONDITIONS, promotion.when, "/when")
    check_terms(BENEFITS, promotion.then, "/then")
    return promotion


def _shown(code: str | None) -> str | None:
    shown = normal_text(code) if code is not None else None
    if shown == "":
        raise Invalid("Type the code.", pointer="/code")
    return shown


def _new_code(prefix: str) -> str:
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LETTERS))
