"""The tree of categories, which is the operator's: found by slug, name and path, made, moved and merged."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from mercat import ids
from mercat.catalog.columns import path_names
from mercat.catalog.messages import (
    AskedCategory,
    Category,
    CategoryChange,
    CategoryDecision,
    CategoryNotEmpty,
    CategoryTitle,
    CategoryUnknown,
)
from mercat.catalog.retelling import AT_FIRST, Retelling
from mercat.catalog.rules import PATH_SIGN, UNCATEGORISED, name_key, path_key
from mercat.catalog.tree import Branch, Tree, added, changed, grown, tree_of
from mercat.ids import CategoryId, SellerId
from mercat.kit import codec, sql
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.text import normal_text

queries = sql.load("mercat.catalog")
_CLOSEST = 5
_LIKENESS = 0.5
Path = tuple[str, ...]


class Categories:
    """Know categories by slug, by name and by path; what is not known is read again before it is unknown."""

    def __init__(self, db: asyncpg.Pool, retelling: Retelling) -> None:
        self._db = db
        self._retelling = retelling
        self._by_slug: dict[str, CategoryId] = {}
        self._by_key: dict[str, CategoryId] = {}
        self._by_name: dict[str, list[CategoryId]] = {}
        self._slug_of: dict[str, str] = {}
        """By each slug and name, as who seeks a category may have meant it."""

    # -- finding

    async def categories(self) -> list[Category]:
        """List all categories, each path before those below it."""
        return [_category(row) for row in await self._db.fetch(queries.categories)]

    async def current_slugs(self, slugs: list[str]) -> dict[str, str]:
        """Say by slugs that categories have, or had before they were renamed or merged, what their slugs are
        now; those that none ever had are left out."""
        rows = await self._db.fetch(queries.current_slugs, slugs)
        return {row["given"]: row["slug"] for row in rows}

    async def id_of(self, given: str) -> CategoryId:
        """Find the category of this slug, name or path, or of a slug that it had; CategoryUnknown(closest)
        where there is none. What is remembered may have been merged by another process meanwhile."""
        if not given.strip() or given == UNCATEGORISED:
            return CategoryId(0)
        for _ in range(2):
            found = self._found(given.strip())
            if found is not None and await self._db.fetchval(queries.category_is_there, found):
                return found
            await self._read()
        if former := await self._db.fetchrow(queries.moved_category, given.strip()):
            return CategoryId(former["category_id"])
        raise self.unknown(given)

    async def known(self, paths: Iterable[Path]) -> dict[Path, CategoryId]:
        """Find categories by their names from the root, or by one name; those unknown are left out."""
        wanted = set(paths)
        found = self._known(wanted)
        if len(found) < len(wanted):
            await self._read()
            found = self._known(wanted)
        return found

    def unknown(self, given: str) -> CategoryUnknown:
        """Make the refusal of a category that is not there, with the slugs of those that are most like it."""
        sought = name_key(given)
        near = get_close_matches(sought, self._slug_of, 2 * _CLOSEST, _LIKENESS)
        last = name_key((path_names(given) or [given])[-1])
        near += [name for name in self._slug_of if last and (last in name or name in last)]
        closest = list(dict.fromkeys(self._slug_of[name] for name in near))[:_CLOSEST]
        words = f" Did you mean {' or '.join(closest[:3])}?" if closest else ""
        return CategoryUnknown(
            f"There is no category “{given.strip()[:80]}”.{words}", pointer="/category", closest=closest
        )

    def _found(self, given: str) -> CategoryId | None:
        found = self._by_slug.get(given)
        if found is None:
            found = self._of_names((given,))
        if found is None and (names := path_names(given)) not in ([], [given]):
            found = self._of_names(tuple(names))
        return found

    def _of_names(self, path: Path) -> CategoryId | None:
        """Find by the path from the root, else by a name that one category alone has."""
        found = self._by_key.get(path_key(path))
        if found is None:
            name = "/".join(path)  # "A/V Cables", which a file without an escape splits
            same = self._by_name.get(name_key(name), [])
            found = same[0] if len(same) == 1 else self._by_slug.get(name)
        return found

    def _known(self, paths: set[Path]) -> dict[Path, CategoryId]:
        found = {path: CategoryId(0) if not path else self._of_names(path) for path in paths}
        return {path: category_id for path, category_id in found.items() if category_id is not None}

    # -- making

    async def ids_of(self, paths: set[Path]) -> dict[Path, CategoryId]:
        """Find categories by their names from the root; make those that are missing, parents first."""
        wanted = {path[:depth] for path in paths for depth in range(1, len(path) + 1)}
        if any(path_key(path) not in self._by_key for path in wanted):
            await self._read()
        if any(path_key(path) not in self._by_key for path in wanted):
            async with self._db.acquire() as db, db.transaction():
                tree, aliases = await self._locked(db)
                more = grown(tree, aliases, wanted, lambda: ids.new(CategoryId))
                await self._write(db, tree, more.tree)
                await db.execute(queries.put_aliases, [*more.aliases], [*more.aliases.values()])
            await self._read()
        return {path: self._by_key[path_key(path)] if path else CategoryId(0) for path in paths}

    def forget(self) -> None:
        """Read the tree again when it is next asked for: a category that was known is gone."""
        self._by_key.clear()
        self._by_slug.clear()
        self._by_name.clear()

    async def ask(self, seller_id: SellerId, paths: Sequence[Path]) -> None:
        """Put categories that a seller's file brings on the list that operators decide."""
        rows = {path_key(path): PATH_SIGN.join(path) for path in paths}
        await self._db.execute(queries.ask_categories, [*rows], [*rows.values()], seller_id)

    # -- what operators do

    async def add_category(self, name: CategoryTitle, parent_id: CategoryId | None = None) -> Category:
        """Add a category below another, or at the root: CategoryExists where one has this name."""
        async with self._db.acquire() as db, db.transaction():
            before, _ = await self._locked(db)
            new = ids.new(CategoryId)
            after = added(before, new, _checked(name), parent_id)
            await self._write(db, before, after)
        return _shown(after.branches[new])

    async def change_category(self, category_id: CategoryId, change: CategoryChange) -> Category:
        """Rename, move or merge a category with its products; old slugs lead on."""
        if isinstance(change.name, str):
            change = CategoryChange(
                name=_checked(change.name), parent_id=change.parent_id, merge_into=change.merge_into
            )
        async with self._db.acquire() as db, db.transaction():
            before, _ = await self._locked(db)
            after = changed(before, category_id, change)
            await self._write(db, before, after)
        await self._retelling.tell_some(AT_FIRST)
        return _shown(after.branches[after.merged.get(category_id, category_id)])

    async def remove_category(self, category_id: CategoryId) -> None:
        """Remove a category that has nothing in it; CategoryNotEmpty for others. Its slugs lead to its
        parent."""
        async with self._db.acquire() as db, db.transaction():
            before, _ = await self._locked(db)
            branch = before.find(category_id)
            if await db.fetchval(queries.category_in_use, category_id):
                raise CategoryNotEmpty
            if branch.parent_id is not None:
                await db.execute(queries.lead_on, [category_id], [branch.parent_id])
                await db.execute(queries.put_redirects, [branch.slug], [branch.parent_id])
            try:
                await db.execute(queries.remove_categories, [category_id])
            except asyncpg.ForeignKeyViolationError:  # a product came in meanwhile
                raise CategoryNotEmpty from None

    async def asked_categories(self, limit: int = 50) -> list[AskedCategory]:
        """List what sellers' files brought and nobody decided, the latest first."""
        return sql.rows(AskedCategory, await self._db.fetch(queries.asked_categories, limit))

    async def decide_category(self, decision: CategoryDecision) -> None:
        """Decide a category that was asked for; files find it from now on. NotFound where nobody asks."""
        key = path_key(decision.names)
        async with self._db.acquire() as db, db.transaction():
            before, _ = await self._locked(db)
            statement = queries.refuse_asked if decision.verdict == "refuse" else queries.decided
            if await db.fetchval(statement, key) is None:
                raise NotFound("Nobody asks for this category any more.")
            if decision.verdict == "map":
                if decision.category_id is None:
                    raise Invalid("Choose a category.", pointer="/category_id")
                before.find(decision.category_id, "/category_id")
                await db.execute(queries.put_aliases, [key], [decision.category_id])
        if decision.verdict == "create":
            path = tuple(map(_checked, decision.names))
            await self.ids_of({path})

    # -- rows

    async def _locked(self, db: PoolConnectionProxy) -> tuple[Tree, dict[str, CategoryId]]:
        await db.execute(queries.lock_categories)
        rows = await db.fetch(queries.categories)
        aliases = await db.fetch(queries.category_aliases)
        tree = tree_of(
            Branch(CategoryId(row["category_id"]), row["slug"], row["name"], _category_id(row["parent_id"]))
            for row in rows
        )
        return tree, {row["key"]: CategoryId(row["category_id"]) for row in aliases}

    async def _write(self, db: PoolConnectionProxy, before: Tree, after: Tree) -> None:
        """Write what is otherwise after a change, let old slugs and paths lead on, and ask for products to be
        told again."""
        if after.merged:
            gone, targets = [*after.merged], [_last(after.merged, each) for each in after.merged]
            await db.execute(queries.move_products, gone, targets)
            await db.execute(queries.lead_on, gone, targets)
            await db.execute(queries.move_children, gone)
            await db.execute(queries.remove_categories, gone)
        rows, were = _rows(after), _rows(before)
        touched = [each for each in rows if rows[each] != were.get(each)]
        standing = [each for each in touched if each in before.branches]
        await db.execute(queries.free_category_names, standing)
        await db.execute(queries.put_categories, *sql.columns([rows[each] for each in touched], 7))
        former = [*standing, *after.merged]
        now = [_last(after.merged, each) for each in former]
        await db.execute(queries.put_redirects, [before.branches[each].slug for each in former], now)
        await db.execute(queries.put_aliases, *_aliases(before, former, now))
        await db.execute(queries.drop_stale_redirects)
        slugs = {before.branches[each].slug: after.branches[each].slug for each in standing}
        if renamed := {was: slug for was, slug in slugs.items() if was != slug}:
            await db.execute(queries.tell_renamed, codec.text(renamed))
        if former:
            await db.execute(queries.retell_all, "category", sorted({*now}))

    async def _read(self) -> None:
        rows = await self._db.fetch(queries.categories)
        aliases = await self._db.fetch(queries.category_aliases)
        self._by_slug = {row["slug"]: CategoryId(row["category_id"]) for row in rows}
        self._by_key = {row["key"]: CategoryId(row["category_id"]) for row in aliases}
        self._by_key |= {path_key(row["names"]): CategoryId(row["category_id"]) for row in reversed(rows)}
        by_name: dict[str, list[CategoryId]] = {}
        for row in rows:
            by_name.setdefault(name_key(row["name"]), []).append(CategoryId(row["category_id"]))
        self._by_name = by_name
        shown = [row for row in rows if row["category_id"]]
        self._slug_of = {row["slug"]: row["slug"] for row in shown}
        self._slug_of |= {name_key(row["name"]): row["slug"] for row in reversed(shown)}


def _aliases(
    before: Tree, former: Sequence[CategoryId], now: Sequence[CategoryId]
) -> tuple[list[str], list[CategoryId]]:
    """List the paths that categories had, once each: of two that were told apart by case only, the first."""
    led = dict[str, CategoryId]()
    for category_id, target in zip(former, now, strict=True):
        led.setdefault(before.key(category_id), target)
    return [*led], [*led.values()]


def _last(merged: dict[CategoryId, CategoryId], category_id: CategoryId) -> CategoryId:
    while category_id in merged:
        category_id = merged[category_id]
    return category_id


def _rows(tree: Tree) -> dict[CategoryId, tuple[Any, ...]]:
    """Make the rows of a tree. Of two that older shops told apart by case, the first alone has a key."""
    rows: dict[CategoryId, tuple[Any, ...]] = {}
    keys: set[str] = set()
    for category_id in sorted(tree.branches):
        path = tree.path(category_id)
        names = [each.name for each in path]
        key = path_key(names)
        rows[category_id] = (
            category_id,
            path[-1].slug,
            path[-1].name,
            path[-1].parent_id,
            "/".join(each.slug for each in path),
            PATH_SIGN.join(names),
            None if key in keys else key,
        )
        keys.add(key)
    return rows


def _checked(name: str) -> str:
    name = " ".join(normal_text(name.replace(PATH_SIGN, " ")).split())
    if not name:
        raise Invalid("A category needs a name that can be seen.", pointer="/name")
    return name


def _category(row: Any) -> Category:
    return Category(CategoryId(row["category_id"]), row["slug"], row["name"], _category_id(row["parent_id"]))


def _shown(branch: Branch) -> Category:
    return Category(branch.category_id, branch.slug, branch.name, branch.parent_id)


def _category_id(number: int | None) -> CategoryId | None:
    return None if number is None else CategoryId(number)
