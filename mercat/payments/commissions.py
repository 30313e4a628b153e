"""The rules by which commission is taken; who sells is told by checkout, which asks for them."""

import asyncpg

from mercat.kit import sql
from mercat.payments.messages import CommissionRule, CommissionRules, NewCommissionRules, RulesChanged
from mercat.settings import Settings

queries = sql.load("mercat.payments")


class Commissions:
    """One list of rules, changed as a whole."""

    def __init__(self, db: asyncpg.Pool, settings: Settings) -> None:
        self._db = db
        self._default_ppm = settings.commission_ppm

    async def commission_rules(self) -> CommissionRules:
        """Answer the rules in their order."""
        version = await self._db.fetchval(queries.commission_version)
        rules = sql.rows(CommissionRule, await self._db.fetch(queries.commission_rules))
        return CommissionRules(rules, version or 0, self._default_ppm)

    async def set_commission_rules(self, new: NewCommissionRules) -> CommissionRules:
        """Replace the rules, for what is bought from now on; RulesChanged where others were read."""
        rows = [(each.seller_id, each.category_id, each.rate_ppm, each.fee) for each in new.rules]
        async with self._db.acquire() as db, db.transaction():
            version = await db.fetchval(queries.next_commission_version, new.version)
            if version is None:
                raise RulesChanged
            await db.execute(queries.clear_commission_rules)
            await db.execute(queries.add_commission_rules, *sql.columns(rows, 4))
        return CommissionRules(list(new.rules), version, self._default_ppm)
