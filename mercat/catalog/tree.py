"""What becomes of the tree of categories when one is renamed, moved or merged: decisions without IO."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from msgspec import UNSET

from mercat.catalog.messages import (
    CATEGORY_DEPTH_MAX,
    CategoryChange,
    CategoryExists,
)
from mercat.catalog.rules import free_slug, name_key, path_key
from mercat.ids import CategoryId
from mercat.kit.refusals import Invalid, NotFound


@dataclass(frozen=True)
class Branch:
    """A category, and the one it is below."""

    category_id: CategoryId
    slug: str
    name: str
    parent_id: CategoryId | None = None


@dataclass(frozen=True)
class Tree:
    """All categories by id; `merged`: into which one those went that are gone."""

    branches: dict[CategoryId, Branch]
    merged: dict[CategoryId, CategoryId] = field(default_factory=dict[CategoryId, CategoryId])

    def path(self, category_id: CategoryId) -> list[Branch]:
        """List a category and those above it, the root first."""
        found: list[Branch] = []
        at: CategoryId | None = category_id
        while at is not None:
            branch = self.branches[at]
            found.append(branch)
            at = branch.parent_id
        return found[::-1]

    def names(self, category_id: CategoryId) -> list[str]:
        return [each.name for each in self.path(category_id)]

    def key(self, category_id: CategoryId) -> str:
        return path_key(self.names(category_id))

    def child(self, parent_id: CategoryId | None, name: str) -> Branch | None:
        """Find the category of this name below another, or at the root."""
        wanted = name_key(name)
        return next(
            (
                each
                for each in self.branches.values()
                if each.parent_id == parent_id and name_key(each.name) == wanted
            ),
            None,
        )

    def find(self, category_id: CategoryId, pointer: str = "") -> Branch:
        """Find a category that may be changed; NotFound, or Invalid at `pointer`, where there is none."""
        found = self.branches.get(category_id) if category_id else None
        if found is None:
            raise (
                Invalid("There is no such category.", pointer=pointer)
                if pointer
                else NotFound("There is no such category.")
            )
        return found


def changed(tree: Tree, category_id: CategoryId, change: CategoryChange) -> Tree:
    """Rename, move or merge a category: NotFound, Invalid with its pointer, or CategoryExists."""
    branch = tree.find(category_id)
    branches = dict(tree.branches)
    if change.merge_into is not UNSET:
        target = tree.find(change.merge_into, "/merge_into")
        if any(each.category_id == category_id for each in tree.path(target.category_id)):
            raise Invalid("A category cannot go into itself or what is below it.", pointer="/merge_into")
        merged = dict(tree.merged)
        _merge(branches, merged, category_id, target.category_id)
        return _within_depth(Tree(branches, merged), "/merge_into")
    if change.parent_id is not UNSET and change.parent_id != branch.parent_id:
        if change.parent_id is not None:
            parent = tree.find(change.parent_id, "/parent_id")
            if any(each.category_id == category_id for each in tree.path(parent.category_id)):
                raise Invalid("A category cannot go into itself or what is below it.", pointer="/parent_id")
        branch = replace(branch, parent_id=change.parent_id)
    if change.name is not UNSET and change.name != branch.name:
        branch = replace(branch, name=change.name)
    branches[category_id] = branch
    _refuse_twin(Tree(branches), branch)
    if change.name is not UNSET and name_key(change.name) != name_key(tree.branches[category_id].name):
        taken = {each.slug for each in branches.values() if each.category_id != category_id}
        slug = free_slug(Tree(branches).names(category_id), taken)
        branches[category_id] = replace(branch, slug=slug)
    return _within_depth(Tree(branches), "/parent_id")


def added(tree: Tree, branch_id: CategoryId, name: str, parent_id: CategoryId | None) -> Tree:
    """Add a category below another, or at the root: Invalid with its pointer, or CategoryExists."""
    if parent_id is not None:
        tree.find(parent_id, "/parent_id")
    branches = dict(tree.branches)
    above = Tree(branches).names(parent_id) if parent_id is not None else []
    slug = free_slug([*above, name], {each.slug for each in branches.values()})
    branch = branches[branch_id] = Branch(branch_id, slug, name, parent_id)
    _refuse_twin(Tree(branches), branch)
    return _within_depth(Tree(branches), "/parent_id")


@dataclass(frozen=True)
class Grown:
    """A tree with the categories of paths that it did not have, and the paths that mean others' places."""

    tree: Tree
    aliases: dict[str, CategoryId]


def grown(
    tree: Tree,
    aliases: Mapping[str, CategoryId],
    paths: Iterable[tuple[str, ...]],
    new: Callable[[], CategoryId],
) -> Grown:
    """Add the categories of these paths that the tree has not and no alias means, parents first."""
    branches = dict(tree.branches)
    taken = {each.slug for each in branches.values()}
    below = {(each.parent_id, name_key(each.name)): each.category_id for each in branches.values()}
    meant: dict[str, CategoryId] = {}
    for path in sorted(paths, key=lambda path: (len(path), path)):
        parent: CategoryId | None = None
        for depth in range(1, len(path) + 1):
            key = path_key(path[:depth])
            found = below.get((parent, name_key(path[depth - 1])), aliases.get(key, meant.get(key)))
            if found is None:
                names = [*Tree(branches).names(parent), path[depth - 1]] if parent is not None else [path[0]]
                if len(names) > CATEGORY_DEPTH_MAX:
                    names, found = names[:CATEGORY_DEPTH_MAX], parent
                else:
                    found = new()
                    slug = free_slug(names, taken)
                    taken.add(slug)
                    branches[found] = Branch(found, slug, path[depth - 1], parent)
                    below[parent, name_key(path[depth - 1])] = found
            assert found is not None
            if Tree(branches).key(found) != key:
                meant[key] = found
            parent = found
    return Grown(Tree(branches), meant)


def _merge(
    branches: dict[CategoryId, Branch],
    merged: dict[CategoryId, CategoryId],
    category_id: CategoryId,
    into: CategoryId,
) -> None:
    """Move what is below one category below another; what is there already by its name is merged too."""
    merged[category_id] = into
    for child in [each for each in branches.values() if each.parent_id == category_id]:
        twin = Tree(branches).child(into, child.name)
        if twin is not None and twin.category_id != category_id:
            _merge(branches, merged, child.category_id, twin.category_id)
        else:
            branches[child.category_id] = replace(child, parent_id=into)
    del branches[category_id]


def _refuse_twin(tree: Tree, branch: Branch) -> None:
    others = {key: each for key, each in tree.branches.items() if key != branch.category_id}
    if twin := Tree(others).child(branch.parent_id, branch.name):
        raise CategoryExists(pointer="/name", category_id=twin.category_id, slug=twin.slug)


def _within_depth(tree: Tree, pointer: str) -> Tree:
    if any(len(tree.path(each)) > CATEGORY_DEPTH_MAX for each in tree.branches):
        raise Invalid(f"Categories are at most {CATEGORY_DEPTH_MAX} deep.", pointer=pointer)
    return tree


def tree_of(branches: Iterable[Branch]) -> Tree:
    """Make a tree of its categories."""
    return Tree({each.category_id: each for each in branches})
