from typing import Annotated

from msgspec import Meta

from mercat.ids import RuleChangeId, RuleId
from mercat.kit.rpc import Caller
from mercat.search import KeptRule, Rule, RuleChanges, Rules
from mercat.services import Services

ChangesLimit = Annotated[int, Meta(ge=1, le=100)]


class Merchandising:
    """What operators want of searches."""

    def __init__(self, shop: Services) -> None:
        self._shop = shop

    async def rules(self) -> Rules:
        """Pins, boosts and synonyms of searches, those of other days included."""
        return await self._shop.search.rules()

    async def add_rule(self, caller: Caller, rule: Rule) -> KeptRule:
        """A new rule of searches; every search keeps it within five seconds. `pin`: a product at a place for
        words. `boost`: a product, a brand or a category counts so many times as much, for words or for all.
        `synonym`: words that also mean others. Days are UTC, both included."""
        return await self._shop.search.add_rule(caller, rule)

    async def change_rule(self, caller: Caller, rule_id: RuleId, rule: Rule) -> KeptRule:
        """The whole rule as it is from here on."""
        return await self._shop.search.change_rule(caller, rule_id, rule)

    async def remove_rule(self, caller: Caller, rule_id: RuleId) -> None:
        """Takes a rule away. It stays in the record of changes, and can be put back."""
        await self._shop.search.remove_rule(caller, rule_id)

    async def rule_changes(self, limit: ChangesLimit = 20, before: RuleChangeId | None = None) -> RuleChanges:
        """Who changed which rule of searches, and how, the newest first; `before` is the last one of the page
        before."""
        return await self._shop.search.rule_changes(limit, before)

    async def put_back_rule(self, caller: Caller, change_id: RuleChangeId) -> KeptRule:
        """Makes a rule again what it was before a change."""
        return await self._shop.search.put_back_rule(caller, change_id)
