"""The commission that holds when a purchase begins: looked up seldom, for many purchases."""

from mercat.catalog import Catalog
from mercat.ids import CategoryId
from mercat.kit.snapshot import Snapshot
from mercat.payments import CommissionRules, CommissionTable, Payments

_FRESH_S = 0.25
"""How long after a change of the rules a purchase may still begin by the old ones."""
_TREE_FRESH_S = 5.0
_Parents = dict[CategoryId, CategoryId | None]


class StandingCommissions:
    """The rules of now; the tree of categories is read only where a rule names one."""

    def __init__(self, payments: Payments, catalog: Catalog) -> None:
        self._catalog = catalog
        self._rules: Snapshot[CommissionRules] = Snapshot(payments.commission_rules, _FRESH_S)
        self._parents: Snapshot[_Parents] = Snapshot(self._read_parents, _TREE_FRESH_S)
        self._known: tuple[object, object, CommissionTable] | None = None

    async def table(self) -> CommissionTable:
        """Return the rules, made ready once for as long as they stand."""
        rules = await self._rules.get()
        named = any(rule.category_id is not None for rule in rules.rules)
        parents = await self._parents.get() if named else None
        if self._known is None or self._known[0] is not rules or self._known[1] is not parents:
            self._known = rules, parents, CommissionTable(rules.rules, rules.default_ppm, parents)
        return self._known[2]

    async def _read_parents(self) -> _Parents:
        return {each.category_id: each.parent_id for each in await self._catalog.categories()}
