"""Internals of other people's libraries are changed, or reached into, in one file."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "mercat"
ALLOWED = PACKAGE / "kit" / "patches.py"
DOCUMENTED = ("stripe.enable_telemetry",)
"""Switches that a library's own manual names."""


def breaches(text: str) -> Iterator[str]:
    """Imports of private modules, and assignments to attributes of what comes from another library."""
    tree = ast.parse(text)
    foreign: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            foreign |= {(each.asname or each.name).split(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.module.startswith("mercat"):
            foreign |= {each.asname or each.name for each in node.names}
            if any(part.startswith("_") and part != "__future__" for part in node.module.split(".")):
                yield f"line {node.lineno}: import from {node.module}"
    for node in ast.walk(tree):
        targets = [node.args[0]] if _sets_attribute(node) else getattr(node, "targets", [])
        for target in targets:
            assigned = target.value if isinstance(target, ast.Attribute) else target
            named = _sets_attribute(node) or isinstance(target, ast.Attribute)
            if ast.unparse(target) in DOCUMENTED:
                continue
            if named and isinstance(assigned, ast.Name) and assigned.id in foreign:
                yield f"line {node.lineno}: an attribute of {assigned.id}"


def _sets_attribute(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr"


def test_nobody_else_patches_a_library():
    found = {
        str(path.relative_to(PACKAGE)): list(breaches(path.read_text()))
        for path in PACKAGE.rglob("*.py")
        if path != ALLOWED
    }
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_a_planted_patch_is_noticed():
    planted = (
        "import asyncpg\nasyncpg.connect = None",
        "from a.b import c\nsetattr(c, 'd', 1)",
        "from a._b import c",
    )
    assert all(list(breaches(text)) for text in planted)
    assert list(breaches(ALLOWED.read_text()))
