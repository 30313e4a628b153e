"""The rule book: what operators want of searches, in search's own schema, read again by every process within
a second or two of a change."""

import asyncio
import time
from datetime import UTC, date

import asyncpg
import msgspec
import structlog

from mercat import ids
from mercat.ids import RuleChangeId, RuleId
from mercat.kit import clock, sql
from mercat.kit.db_errors import AWAY
from mercat.kit.refusals import NotFound
from mercat.kit.rpc import Caller
from mercat.search.messages import RULES_MAX, KeptRule, Rule, RuleChange, TooManyRules
from mercat.search.rules import Ruling, checked, ruling

log = structlog.get_logger("mercat.search")
queries = sql.load("mercat.search")
_LOOK_S = 1.0
_WAIT_S = 0.2
CHANGES_MAX = 100


class Rulebook:
    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db
        self.ruling = Ruling()
        self._rules: list[KeptRule] = []
        self._seen: str | None = None
        self._day: date | None = None
        self._looked = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    # -- reading

    async def fresh(self) -> Ruling:
        """What holds, a second old at most. A search waits a moment for that, then goes on as before."""
        if time.monotonic() - self._looked >= _LOOK_S:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            await asyncio.wait([self._looking], timeout=_WAIT_S)
        return self.ruling

    async def _look(self) -> None:
        try:
            seen = await self._db.fetchval(queries.rules_as_they_stand)
            if seen != self._seen:
                self._rules, self._seen, self._day = await self.rules(), seen, None
            today = clock.now().astimezone(UTC).date()
            if today != self._day:
                self.ruling, self._day = ruling(self._rules, today), today
        except AWAY as error:
            log.warning("the rules of search cannot be read", reason=repr(error)[:200])
        finally:
            self._looked = time.monotonic()

    async def rules(self) -> list[KeptRule]:
        return sql.rows(KeptRule, await self._db.fetch(queries.rules))

    async def changes(self, limit: int, before: RuleChangeId | None = None) -> list[RuleChange]:
        rows = await self._db.fetch(queries.rule_changes, before, limit)
        return [
            RuleChange(
                change_id=RuleChangeId(row["change_id"]),
                rule_id=RuleId(row["rule_id"]),
                what=row["what"],
                by=row["by"],
                at=row["at"],
                was=_rule(row["was"]),
                now=_rule(row["now"]),
            )
            for row in rows
        ]

    # -- writing

    async def add(self, caller: Caller, rule: Rule, rule_id: RuleId | None = None) -> KeptRule:
        return await self._save(caller, rule_id or ids.new(RuleId, 0), rule, new=True)

    async def change(self, caller: Caller, rule_id: RuleId, rule: Rule) -> KeptRule:
        return await self._save(caller, rule_id, rule, new=False)

    async def put_back(self, caller: Caller, change_id: RuleChangeId) -> KeptRule:
        """What a change took away, or made otherwise, is again as it was before."""
        for change in await self.changes(1, RuleChangeId(change_id + 1)):
            if change.change_id == change_id and change.was:
                return await self._save(caller, change.rule_id, change.was, new=True)
        raise NotFound

    async def remove(self, caller: Caller, rule_id: RuleId) -> None:
        """Said again, it is as well: it is gone."""
        gone = await self._db.fetchval(
            queries.remove_rule, rule_id, caller.user_id, caller.name, clock.now(), ids.new(RuleChangeId, 0)
        )
        if gone is None and not await self._db.fetchval(queries.was_rule, rule_id):
            raise NotFound
        self._looked = float("-inf")

    async def _save(self, caller: Caller, rule_id: RuleId, rule: Rule, *, new: bool) -> KeptRule:
        rule = checked(rule)
        await self._db.execute(
            queries.save_rule,
            rule_id,
            rule.kind,
            _tidy(rule.words) or "",
            rule.product_id,
            rule.place,
            _tidy(rule.brand),
            _tidy(rule.category),
            rule.factor,
            _tidy(rule.other),
            bool(rule.same) if rule.kind == "synonym" else None,
            rule.starts_on,
            rule.ends_on,
            clock.now(),
            caller.user_id,
            caller.name,
            new,
            RULES_MAX,
            ids.new(RuleChangeId, 0),
        )
        self._looked = float("-inf")
        kept = await self._db.fetchrow(queries.rule, rule_id)
        if kept is None:
            raise TooManyRules if new else NotFound
        return sql.row(KeptRule, kept)


def _tidy(said: str | None) -> str | None:
    return " ".join(said.split()) or None if said else None


def _rule(written: str | None) -> Rule | None:
    """A rule as the record of changes keeps it: ids are numbers there."""
    if written is None:
        return None
    given = msgspec.json.decode(written)
    return sql.row(Rule, {name: value for name, value in given.items() if value is not None})
