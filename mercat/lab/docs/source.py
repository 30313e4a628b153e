"""What Python forgets of a class when it runs: the texts under its fields, and the headings between them."""

import ast
import re
from collections.abc import Iterator
from inspect import getsource
from typing import NamedTuple


class SourceField(NamedTuple):
    """A field of a class as its source has it; `section` is the comment line before a group of fields."""

    name: str
    annotation: str
    text: str
    section: str


def fields_of(kind: type) -> Iterator[SourceField]:
    """Yield the fields that a class itself declares, in order."""
    source = getsource(kind)
    lines = source.splitlines()
    [body] = [node.body for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    section, seen = "", 0
    for node, following in zip(body, [*body[1:], None], strict=True):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        for line in lines[seen : node.lineno - 1]:
            if heading := re.fullmatch(r"    # (.+)", line):
                section = heading[1]
        seen = node.lineno
        text = _text(following)
        yield SourceField(node.target.id, ast.unparse(node.annotation), text, section)


def _text(node: ast.stmt | None) -> str:
    value = node.value if isinstance(node, ast.Expr) else None
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return " ".join(value.value.split())
    return ""
