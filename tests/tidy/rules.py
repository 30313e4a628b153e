"""The rules of the code that no tool of others checks: each takes source text and returns the breaches.

Pure functions, so that `test_rules.py` can show each a planted breach beside the real files.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

Function = ast.FunctionDef | ast.AsyncFunctionDef
LINES_MAX = 60
PARAMETERS_BY_NUMBER_MAX = 4
STATUSES = {200, 201, 202, 204, 304, *range(400, 430), *range(500, 505)}
NOQA = re.compile(r"# noqa(?!: )|# noqa: [A-Z0-9, ]+$")


class Verbs(NamedTuple):
    """Of each service: the verbs in its route table, and those of them that write."""

    all: dict[str, set[str]]
    writing: dict[str, set[str]]
    of_class: dict[str, str]
    """Class of a service to its name."""


def functions(tree: ast.AST) -> Iterator[Function]:
    """Yield every function and method of a module."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def long_functions(source: str) -> list[str]:
    """List functions of more than 60 lines, signature and docstring included."""
    return [
        f"{node.name}: {lines} lines"
        for node in functions(ast.parse(source))
        if (lines := (node.end_lineno or 0) - node.lineno + 1) > LINES_MAX
    ]


def exceptions_without_reason(source: str) -> list[str]:
    """List `noqa` comments that do not name a rule and say why: `# noqa: S603  - the command is ours`."""
    return [line.strip() for line in source.splitlines() if NOQA.search(line)]


def public_classes(source: str) -> list[str]:
    """List the public classes of a module."""
    tree = ast.parse(source)
    return [n.name for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]


def numbered_parameters(statement: str) -> list[str]:
    """List parameters of a SQL file that are numbers beyond 4: those need names."""
    code = re.sub(r"--[^\n]*", "", statement)
    return sorted({f"${n}" for n in re.findall(r"\$(\d+)", code) if int(n) > PARAMETERS_BY_NUMBER_MAX})


def foreign_patches(source: str) -> list[str]:
    """List places that change an attribute of somebody else's module or class: `httpx.Client.send = …`."""
    tree = ast.parse(source)
    foreign = set(_foreign_names(tree))
    targets: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            targets += [each for each in node.targets if isinstance(each, ast.Attribute)]
        elif isinstance(node, ast.AugAssign | ast.AnnAssign) and isinstance(node.target, ast.Attribute):
            targets.append(node.target)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
            targets.append(node.args[0])
    return [ast.unparse(each) for each in targets if _root(each) in foreign]


def _foreign_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                if not each.name.startswith("mercat"):
                    yield each.asname or each.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("mercat"):
            yield from (each.asname or each.name for each in node.names)


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def formats_below_web(source: str) -> list[str]:
    """List what belongs to the web layer alone: HTTP statuses, decimals, public JSON shapes."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names = [each.name for each in node.names]
            if node.module in ("decimal", "http", "starlette.responses"):
                found.append(f"from {node.module} import {', '.join(names)}")
            found += [f"import of {name}" for name in names if name.endswith("Shown")]
        elif isinstance(node, ast.Import):
            found += [f"import {each.name}" for each in node.names if each.name in ("decimal", "http")]
        elif isinstance(node, ast.ClassDef) and node.name.endswith("Shown"):
            found.append(f"class {node.name}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "money.shown":
            found.append("money.shown")
        else:
            found += _statuses(node)
    return found


def _statuses(node: ast.AST) -> list[str]:
    """List the numbers of HTTP that are called a status: `status=409`, `status = 409`, `x.status == 409`."""
    named: list[tuple[str, ast.expr | None]] = []
    if isinstance(node, ast.keyword):
        named = [(node.arg or "", node.value)]
    elif isinstance(node, ast.Assign):
        named = [(ast.unparse(each), node.value) for each in node.targets]
    elif isinstance(node, ast.AnnAssign):
        named = [(ast.unparse(node.target), node.value)]
    elif isinstance(node, ast.Compare):
        named = [(ast.unparse(node.left), each) for each in node.comparators]
    return [
        f"{name} … {value.value}"
        for name, value in named
        if name.split(".")[-1] in ("status", "status_code")
        and isinstance(value, ast.Constant)
        and value.value in STATUSES
    ]


def called_verbs(source: str, verbs: Verbs) -> list[tuple[str, str]]:
    """List (service, verb) of what a module asks of services: `shop.cart.add(…)`, or `self._cart.add(…)` of a
    class whose constructor takes a `Cart`."""
    tree = ast.parse(source)
    calls: list[tuple[str, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            service, owner = node.value.attr, _last(node.value.value)
            if service in verbs.all and owner in ("shop", "_shop", "services", "_services"):
                calls.append((service, node.attr))
    for kind in [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]:
        held = _services_held(kind, verbs)
        calls += [
            (held[node.value.attr], node.attr)
            for node in ast.walk(kind)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Attribute)
            and isinstance(node.value.value, ast.Name)
            and node.value.value.id == "self"
            and node.value.attr in held
        ]
    return calls


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _services_held(kind: ast.ClassDef, verbs: Verbs) -> dict[str, str]:
    """Map attributes of a class to the services that its constructor is handed."""
    held: dict[str, str] = {}
    for method in functions(kind):
        if method.name != "__init__":
            continue
        given = {
            each.arg: verbs.of_class[ast.unparse(each.annotation).split(".")[-1]]
            for each in [*method.args.args, *method.args.kwonlyargs]
            if each.annotation and ast.unparse(each.annotation).split(".")[-1] in verbs.of_class
        }
        for node in ast.walk(method):
            if isinstance(node, ast.Assign):
                pairs = _assigned(node)
                held |= {target: given[value] for target, value in pairs if value in given}
    return held


def _assigned(node: ast.Assign) -> list[tuple[str, str]]:
    target, value = node.targets[0], node.value
    targets = target.elts if isinstance(target, ast.Tuple) else [target]
    values = value.elts if isinstance(value, ast.Tuple) else [value]
    return [(_last(t), _last(v)) for t, v in zip(targets, values, strict=False)]


def several_writes(sources: dict[str, str], verbs: Verbs) -> list[str]:
    """List the functions of the web layer on one of whose ways more than one verb is awaited that writes.

    `sources` has all modules by path. What a handler calls is followed: methods within their class, functions
    by name within the layer."""
    bodies = {
        (path, owner, function.name): function
        for path, source in sources.items()
        for owner, function in _owned(ast.parse(source))
    }
    writes = dict.fromkeys(bodies, 0)
    for _ in range(5):  # as deep as helpers call helpers
        of_functions = {name: n for (_, owner, name), n in writes.items() if not owner}
        for key, function in bodies.items():
            own = {f"self.{name}": n for (*home, name), n in writes.items() if (*home,) == key[:2]}
            writes[key] = min(_most_writes(function.body, verbs, of_functions | own), 2)
    return [
        f"{path}: {owner}.{name}".replace(": .", ": ")
        for (path, owner, name), most in writes.items()
        if most > 1 and isinstance(bodies[path, owner, name], ast.AsyncFunctionDef)
    ]


def _owned(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from ((node.name, each) for each in node.body if isinstance(each, Function))
        elif isinstance(node, Function):
            yield "", node


def _most_writes(body: list[ast.stmt], verbs: Verbs, known: dict[str, int]) -> int:
    """Count the writing verbs on the way through these statements that has most of them."""
    here, longest = 0, 0
    for statement in body:
        writes = _writes(statement, verbs, known)
        longest = max(longest, here + writes)
        if isinstance(statement, ast.If) and _leaves(statement.body):
            # A branch that leaves the function is a way of its own: what follows is not on it.
            writes = _writes(statement.test, verbs, known) + _most_writes(statement.orelse, verbs, known)
        here += writes
        if isinstance(statement, ast.Return | ast.Raise):
            break
    return longest


def _leaves(body: list[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)


def _writes(node: ast.AST, verbs: Verbs, known: dict[str, int]) -> int:
    if isinstance(node, Function | ast.Lambda | ast.ClassDef):
        return 0
    if isinstance(node, ast.If):
        test = _writes(node.test, verbs, known)
        return test + max(_most_writes(each, verbs, known) for each in (node.body, node.orelse))
    if isinstance(node, ast.Match):
        return max((_most_writes(case.body, verbs, known) for case in node.cases), default=0)
    if isinstance(node, ast.Try):
        handlers = max((_most_writes(each.body, verbs, known) for each in node.handlers), default=0)
        tried = _most_writes([*node.body, *node.orelse], verbs, known)
        return max(tried, handlers) + _most_writes(node.finalbody, verbs, known)
    inner = sum(_writes(child, verbs, known) for child in ast.iter_child_nodes(node))
    if isinstance(node, ast.For | ast.AsyncFor | ast.While | ast.comprehension) and inner:
        return 2 * inner
    return inner + (_written_by(node, verbs, known) if isinstance(node, ast.Call) else 0)


def _written_by(call: ast.Call, verbs: Verbs, known: dict[str, int]) -> int:
    if isinstance(call.func, ast.Name):
        return known.get(call.func.id, 0)
    if not isinstance(call.func, ast.Attribute):
        return 0
    owner, verb = _last(call.func.value), call.func.attr
    if owner in verbs.writing:
        return int(verb in verbs.writing[owner])
    return known.get(f"self.{verb}", 0) if owner == "self" else 0


def python(package: Path) -> dict[str, str]:
    """Read every module of the package, by its path within it."""
    return {str(path.relative_to(package)): path.read_text() for path in sorted(package.rglob("*.py"))}
