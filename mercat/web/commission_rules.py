"""Commission rules in the terms of the API: categories by their slugs, rates as fractions."""

from collections.abc import Sequence
from difflib import get_close_matches

from mercat.catalog import Category, CategoryUnknown
from mercat.ids import CategoryId
from mercat.payments import CommissionRules, CommissionTable
from mercat.shop import Shop

_CLOSEST = 5


async def rules_table(shop: Shop, rules: CommissionRules | None = None) -> CommissionTable:
    """Make the rules of now ready to be asked."""
    rules = rules or await shop.payments.commission_rules()
    parents = {each.category_id: each.parent_id for each in await shop.catalog.categories()}
    return CommissionTable(rules.rules, rules.default_ppm, parents)


def category_named(categories: Sequence[Category], given: str, pointer: str = "/category") -> Category:
    """Find the category of this slug, or the one of this name; CategoryUnknown with those most like it."""
    given = given.strip()
    by_slug = {each.slug: each for each in categories}
    if given in by_slug:
        return by_slug[given]
    same = [each for each in categories if each.name.casefold() == given.casefold()]
    if len(same) == 1:
        return same[0]
    closest = get_close_matches(given.lower(), by_slug, _CLOSEST)
    raise CategoryUnknown(f"There is no category “{given}”.", pointer=pointer, closest=closest)


async def places_of(shop: Shop) -> list[tuple[CategoryId, str]]:
    """List all categories by their paths, for a form to choose from."""
    known = {each.category_id: each for each in await shop.catalog.categories() if each.category_id}

    def path(category: Category) -> str:
        names = [category.name]
        while category.parent_id is not None and category.parent_id in known and len(names) < len(known):
            category = known[category.parent_id]
            names.append(category.name)
        return " > ".join(reversed(names))

    return sorted(((each.category_id, path(each)) for each in known.values()), key=lambda place: place[1])
