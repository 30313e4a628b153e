"""A limit stands once, in the type of a message; templates and handlers of `mercat/web` have no figures.

How much a page shows of a list or a text is no limit of what somebody may send.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "mercat" / "web"
_ATTRIBUTE = re.compile(r"""\b(?:max|min|maxlength|minlength|pattern|step|size)=(?:"[^"{]|'[^'{])""")
_LIMITS = {"ge", "gt", "le", "lt", "min_length", "max_length", "pattern"}
_SHOWN_MAX = 16
"""A shorter cut says how many things a page shows."""


def in_template(text: str) -> Iterator[str]:
    """A limit written into an input instead of the form's rule."""
    for found in _ATTRIBUTE.finditer(text):
        yield text[found.start() : found.start() + 30].split("\n")[0]


def in_code(text: str) -> Iterator[str]:
    """What in a module is compared with, or cut at, a figure, or typed with one instead of a name."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, comparators=others):
                sides = [left, *others]
                found = any(map(_measures, sides)) and any(_figure(side) for side in sides)
            case ast.Subscript(slice=ast.Slice(lower=None, upper=ast.expr() as upper)):
                found = _figure(upper, _SHOWN_MAX)
            case ast.Call(func=ast.Name(id="number_in"), args=arguments):
                found = any(map(_figure, arguments[3:]))
            case _:
                found = False
        if found:
            yield ast.unparse(node)
    for kind in ast.walk(tree):
        if isinstance(kind, ast.ClassDef):
            yield from (ast.unparse(node) for node in ast.walk(kind) if _limits(node))


def _limits(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="Meta"), keywords=given):
            return any(each.arg in _LIMITS and _literal(each.value) for each in given)
        case _:
            return False


def _measures(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("len", "int", "float")
    )


def _figure(node: ast.expr, least: int = 3) -> bool:
    """A number that says how many; fewer than three are no figure but a question of one or several."""
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value >= least


def _literal(node: ast.expr) -> bool:
    return _figure(node) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def breaches() -> Iterator[tuple[str, str]]:
    for path in sorted(WEB.rglob("*.html")):
        yield from ((path.name, each) for each in in_template(path.read_text()))
    for path in sorted(WEB.rglob("*.py")):
        yield from ((str(path.relative_to(WEB)), each) for each in in_code(path.read_text()))


def test_no_template_and_no_handler_has_a_limit_of_its_own():
    assert list(breaches()) == []


@pytest.mark.parametrize(
    "planted",
    [
        '<input name="title" maxlength="80">',
        '<input type="number" min="1" max="{{ most }}">',
        "{{ field(form, 'title', extra='maxlength=\"80\"') }}",
        '<input pattern="[a-z]+">',
    ],
)
def test_a_limit_in_a_template_is_found(planted):
    assert list(in_template(planted))


def test_a_limit_from_the_struct_is_none():
    assert not list(in_template('<input name="q" maxlength="{{ words_max }}"{{ each.rule.attributes() }}>'))


@pytest.mark.parametrize(
    "planted",
    [
        "if len(name) > 100: raise Invalid",
        "wrong = not 0 < len(name) <= 80",
        "note = form['note'][:1_000]",
        "fits = 1 <= int(given) <= 9_999",
        "amount = number_in(form.get('amount'), 0, 0, 10_000_000)",
        "class NewSeller(Struct):\n    name: Annotated[str, Meta(max_length=100)]",
        "class NewSeller(Struct):\n    name: Annotated[str, Meta(pattern='^[a-z]')] | None = None",
    ],
)
def test_a_limit_in_a_handler_is_found(planted):
    assert list(in_code(planted))


@pytest.mark.parametrize(
    "fine",
    [
        "first = words[0]",
        "empty = len(found) == 0",
        "more = len(offers) == A_PAGE",
        "Name = Annotated[str, Meta(max_length=100)]",
        "class NewSeller(Struct):\n    name: Annotated[Name, Meta(min_length=1, max_length=NAME_MAX)]",
        "tag = digest[-6:]",
        "shelf = products[:8]",
    ],
)
def test_what_is_no_limit_is_left_alone(fine):
    assert not list(in_code(fine))
