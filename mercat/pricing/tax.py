"""The rates of tax as they are kept: set by operators, or those the package comes with."""

import asyncio
from typing import NamedTuple

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from msgspec import structs

from mercat.events import OrderPlaced
from mercat.ids import UserId
from mercat.kit import clock, metrics, sql
from mercat.kit.refusals import Stale
from mercat.kit.snapshot import Snapshot
from mercat.money import GIFT_CARD_CLASS
from mercat.pricing.messages import (
    PricedBasket,
    SoldWithoutRate,
    TaxExemption,
    TaxNote,
    TaxRule,
    TaxRuleSet,
)
from mercat.pricing.rules import TaxRates
from mercat.pricing.tax_files import shipped
from mercat.pricing.tax_table import TaxTable, checked
from mercat.settings import Settings
from mercat.vat_numbers import is_in_eu, member_state, vat_country

queries = sql.load("mercat.pricing")
_FRESH_S = 1.0


class _Known(NamedTuple):
    """The rates as they were read, found by place; and who is free of tax."""

    rules: TaxRuleSet
    table: TaxTable
    exempt: frozenset[UserId]


class TaxBook:
    """Rates of tax, people who are free of it, and where was sold to without a rate."""

    def __init__(self, db: asyncpg.Pool, settings: Settings) -> None:
        self._db = db
        self._settings = settings
        self._known = Snapshot(self._read, _FRESH_S)

    async def rates_of(self, basket: PricedBasket) -> TaxRates:
        """Answer how a basket is taxed where it goes, and why not where it is not."""
        known = await self._known.get()
        eu_abroad = self._is_eu_abroad(basket, known.table)
        from_home = eu_abroad and self._settings.eu_distance_sales == "origin"
        place = (
            (self._settings.home_country, "", "")
            if from_home
            else (basket.country, basket.region, basket.postal_code)
        )
        rules = {line.tax_class: known.table.find(*place, line.tax_class) for line in basket.lines}
        standard = known.table.find(*place)
        otherwise = self._settings.tax_rate_ppm
        by_class = {each: rule.ppm if rule else otherwise for each, rule in rules.items()}
        if GIFT_CARD_CLASS in by_class:
            by_class[GIFT_CARD_CLASS] = 0
        taxed = TaxRates(
            standard=standard.ppm if standard else otherwise,
            by_class=by_class,
            shipping=standard.ppm if standard and standard.shipping_taxed else 0,
            included=place[0].upper() in known.table.included,
            rounding=self._settings.tax_rounding,
            taxed_by=self._settings.tax_by,
        )
        note = self._note(basket, known, eu_abroad=eu_abroad)
        if note and taxed.included:
            return taxed._replace(taken_out=True, note=note)
        if note:
            return taxed._replace(standard=0, by_class={}, shipping=0, note=note)
        unknown = (standard is None or None in rules.values()) and not otherwise
        return taxed._replace(note="rate_unknown") if unknown else taxed

    async def includes_tax(self, country: str) -> bool:
        """Answer whether prices have the tax in them there."""
        return country.upper() in (await self._known.get()).table.included

    async def rules(self) -> TaxRuleSet:
        """Return all rates as they are now."""
        return (await self._read()).rules

    async def set_rules(self, rules: list[TaxRule], version: int | None) -> TaxRuleSet:
        """Set all rates, in place of those that were. Once it is answered, every process goes by them.

        Invalid points to what cannot be; Stale where another version than this stands."""
        kept = checked(rules, clock.now().date())
        async with self._db.acquire() as db, db.transaction():
            reached: int = await db.fetchval(queries.begin_setting, clock.now())
            if version is not None and version != reached - 1:
                raise Stale
            await db.execute(queries.clear_rules)
            await db.execute(queries.add_rules, *sql.columns(map(structs.astuple, kept), 10))
        await self._others_know()
        return await self.rules()

    async def sold_without_rate(self) -> list[SoldWithoutRate]:
        """List where was sold to without a known rate, the most often first."""
        return sql.rows(SoldWithoutRate, await self._db.fetch(queries.sold_without_rate))

    async def exemptions(self) -> list[TaxExemption]:
        """List who is free of tax, the latest first."""
        return sql.rows(TaxExemption, await self._db.fetch(queries.exemptions))

    async def exempt(self, user_id: UserId, reason: str) -> None:
        """Free somebody of tax from now on."""
        await self._db.execute(queries.exempt, user_id, reason, clock.now())
        await self._others_know()

    async def tax_again(self, user_id: UserId) -> None:
        """Tax somebody again who was free of it."""
        await self._db.execute(queries.tax_again, user_id)
        await self._others_know()

    async def count_sold(self, db: PoolConnectionProxy, events: list[OrderPlaced]) -> None:
        """Count the orders that were sold without a rate, by where they went."""
        sold = [
            (event.address.get("country", ""), event.address.get("region", ""), event.placed_at)
            for event in events
            if event.tax_note == "rate_unknown"
        ]
        if sold:
            await db.execute(queries.note_sold, *sql.columns(sold))
            metrics.sold_without_rate.inc(len(sold))

    def _note(self, basket: PricedBasket, known: _Known, *, eu_abroad: bool) -> TaxNote:
        if basket.user_id in known.exempt:
            return "exempt"
        buyer = member_state(basket.vat_number) if basket.vat_number else ""
        home = vat_country(self._settings.home_country)
        return "reverse_charge" if eu_abroad and buyer not in ("", home) else ""

    def _is_eu_abroad(self, basket: PricedBasket, table: TaxTable) -> bool:
        """Say whether goods go from one member state of the EU into another and its tax is owed there: to the
        Canary Islands and the like they go as to any other country."""
        country, home = basket.country.upper(), self._settings.home_country
        if not is_in_eu(home) or not is_in_eu(country, basket.postal_code):
            return False
        if vat_country(home) == vat_country(country):
            return False
        standard = table.find(country, basket.region, basket.postal_code)
        return standard is None or standard.ppm > 0

    async def _others_know(self) -> None:
        """Wait as long as another process may go by what it read before."""
        self._known.forget()
        await asyncio.sleep(_FRESH_S)

    async def _read(self) -> _Known:
        async with self._db.acquire() as db, db.transaction(isolation="repeatable_read", readonly=True):
            version: int = await db.fetchval(queries.version) or 0
            exempt = frozenset(UserId(row["user_id"]) for row in await db.fetch(queries.exemptions))
            former = self._known.known
            if former and former.rules.version == version:
                return former._replace(exempt=exempt)
            rules = sql.rows(TaxRule, await db.fetch(queries.rules)) if version else shipped()
        return _Known(TaxRuleSet(rules, not version, version), TaxTable(rules), exempt)
