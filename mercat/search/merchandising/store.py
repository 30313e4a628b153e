"""The stored merchandising rules: in search's own schema, read again by every process within a second or two
of a change."""

import asyncio
import time
from datetime import UTC, date

import asyncpg
import msgspec
import structlog

from mercat import ids
from mercat.events import CategoriesRenamed
from mercat.ids import RuleChangeId, RuleId
from mercat.kit import clock, codec, sql
from mercat.kit.db_errors import AWAY
from mercat.kit.event_log import on
from mercat.kit.refusals import NotFound
from mercat.kit.rpc import Caller
from mercat.search.learnt import LearntStore
from mercat.search.merchandising.rules import ActiveRules, Gains, active_rules, check_rule
from mercat.search.messages import (
    ALL_CHANGES,
    RULES_MAX,
    ChangesAsked,
    Rule,
    RuleChange,
    StoredRule,
    TooManyRules,
)

log = structlog.get_logger("mercat.search")
queries = sql.load("mercat.search")
_CHECK_S = 1.0
_WAIT_S = 0.2
CHANGES_PER_PAGE_MAX = 100


class RuleStore:
    """Reads and writes the rules, and says which are active."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db
        self._learnt = LearntStore(db)
        self._active = ActiveRules()
        self._rules: list[StoredRule] = []
        self._gains: Gains = {}
        self._version: str | None = None
        self._day: date | None = None
        self._checked = float("-inf")
        self._checking: asyncio.Task[None] | None = None

    # -- reading

    async def active(self) -> ActiveRules:
        """Return what is active, a second old at most. A search waits a moment for that, then goes on with
        what it was before."""
        if time.monotonic() - self._checked >= _CHECK_S:
            if self._checking is None or self._checking.done():
                self._checking = asyncio.create_task(self._check())
            await asyncio.wait([self._checking], timeout=_WAIT_S)
        return self._active

    async def _check(self) -> None:
        try:
            version = await self._db.fetchval(queries.rules_version)
            if version != self._version:
                self._rules, self._gains = await self.rules(), await self._learnt.gains()
                self._version, self._day = version, None
            today = clock.now().astimezone(UTC).date()
            if today != self._day:
                self._active, self._day = active_rules(self._rules, today), today
                self._active.gains = self._gains
        except AWAY as error:
            log.warning("the rules of search cannot be read", reason=repr(error)[:200])
        finally:
            self._checked = time.monotonic()

    async def rules(self) -> list[StoredRule]:
        """Return all rules."""
        return sql.rows(StoredRule, await self._db.fetch(queries.rules))

    async def changes(
        self, limit: int, before: RuleChangeId | None, asked: ChangesAsked = ALL_CHANGES
    ) -> list[RuleChange]:
        """Return the changes that follow one, or the first; those asked for."""
        way = 1 if asked.oldest_first else -1
        given = asked.kind, asked.what, asked.words.strip().lower(), way
        rows = await self._db.fetch(queries.rule_changes, before, *given, limit)
        return [
            RuleChange(
                change_id=RuleChangeId(row["change_id"]),
                rule_id=RuleId(row["rule_id"]),
                what=row["what"],
                by=row["by"],
                at=row["at"],
                was=_decode_rule(row["was"]),
                now=_decode_rule(row["now"]),
            )
            for row in rows
        ]

    async def change_counts(self) -> dict[str, int]:
        """Count the changes by what they were."""
        return {row["what"]: row["changes"] for row in await self._db.fetch(queries.rule_change_counts)}

    # -- writing

    async def add(self, caller: Caller, rule: Rule, rule_id: RuleId | None = None) -> StoredRule:
        """Add a rule. Refuses with `Invalid`, `TooManyRules`."""
        return await self._save(caller, rule_id or ids.new(RuleId, 0), rule, new=True)

    async def change(self, caller: Caller, rule_id: RuleId, rule: Rule) -> StoredRule:
        """Replace a rule. Refuses with `Invalid`, `NotFound`."""
        return await self._save(caller, rule_id, rule, new=False)

    async def restore(self, caller: Caller, change_id: RuleChangeId) -> StoredRule:
        """Restore a rule to what it was before a change, also one that was removed."""
        for change in await self.changes(1, RuleChangeId(change_id + 1)):
            if change.change_id == change_id and change.was:
                return await self._save(caller, change.rule_id, change.was, new=True)
        raise NotFound

    async def remove(self, caller: Caller, rule_id: RuleId) -> None:
        """Remove a rule; doing it again changes nothing. Refuses with `NotFound` what never was."""
        gone = await self._db.fetchval(
            queries.remove_rule, rule_id, caller.user_id, caller.name, clock.now(), ids.new(RuleChangeId, 0)
        )
        if gone is None and not await self._db.fetchval(queries.rule_existed, rule_id):
            raise NotFound
        self._checked = float("-inf")

    @on(CategoriesRenamed)
    async def follow_categories(self, db: asyncpg.Connection, events: list[CategoriesRenamed]) -> None:
        """Keep boosts of a category for the same goods, however it is called."""
        for event in events:
            await db.execute(queries.rename_categories, codec.text(event.slugs))

    async def _save(self, caller: Caller, rule_id: RuleId, rule: Rule, *, new: bool) -> StoredRule:
        check_rule(rule)
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
        self._checked = float("-inf")
        stored = await self._db.fetchrow(queries.rule, rule_id)
        if stored is None:
            raise TooManyRules if new else NotFound
        return sql.row(StoredRule, stored)


def _tidy(text: str | None) -> str | None:
    return " ".join(text.split()) or None if text else None


def _decode_rule(text: str | None) -> Rule | None:
    """Read a rule as the record of changes has it: ids are numbers there."""
    if text is None:
        return None
    given = msgspec.json.decode(text)
    return sql.row(Rule, {name: value for name, value in given.items() if value is not None})
