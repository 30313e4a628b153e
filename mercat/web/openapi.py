"""The table of routes as an OpenAPI 3.1 document, as a page for people, and as docs/api.md."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from http import HTTPStatus
from importlib.metadata import version
from importlib.resources import files
from math import inf
from typing import Any, cast
from zlib import crc32

import msgspec
from jinja2 import Environment, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import Id
from mercat.kit import codec
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Needs, Route
from mercat.kit.snapshot import Snapshot
from mercat.web.cache import SELDOM_CHANGED
from mercat.web.middleware import COOKIE
from mercat.web.router import TAGS, PublicRoute

Schema = dict[str, Any]

_NEEDS: dict[Needs, str] = {
    "nobody": "",
    "guest": "any session, a guest's too",
    "member": "an account of one's own",
    "seller": "the seller's role",
    "operator": "the operator's role",
}

_INTRODUCTION = """\
Everything a shopper or a seller can do at Mercat. Amounts are decimal numbers in the currency beside them;
ids are opaque strings; times are ISO 8601 in UTC.

Send a session's token as `Authorization: Bearer …` (`POST /sessions`, or `POST /sessions/guest` to buy
without an account). A refusal is `application/problem+json` (RFC 9457) with a stable `code`, and a `pointer`
to the field where there is one. Unsafe requests may carry an `Idempotency-Key`: the same key again gets the
same answer. Reads carry an `ETag`; lists take `limit` (1 to 100), `page`, or the `cursor` that the page
before gave. Whatever you ask for may also be answered with 429 `too_many_requests`, 503 `overloaded` or 503
`unavailable`, and a `Retry-After`: nothing is lost; ask again, with the same key. What is no request of HTTP
or JSON as they are meant is 400 `bad_request`, 406 `not_acceptable`, 408 `request_timeout`, 413 `too_large`,
415 `unsupported_media_type` or 421 `misdirected_request`. 201 carries the `Location` of what was made,
where that has an address of its own.
"""
_NAMES = (("Shown", ""), ("Ask", "Request"))
"""How our classes end, and how their names end outside."""
_HEADERS: dict[str, Schema] = {
    "ETag": {
        "description": "The version of this answer, for `If-None-Match` and `If-Match`.",
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "Where what was made can be read.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "RateLimit": {
        "description": "What is left of each allowance; not in what is shared.",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "Each allowance: how many at once (`q`), filled in how many seconds (`w`).",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds after which asking again makes sense.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Idempotent-Replayed": {
        "description": "`true` where this is the answer that the key got before.",
        "schema": {"type": "string", "const": "true"},
    },
}


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Why the answer is no. `code` is for programs, `detail` for people; more members depend on the code."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    pointer: str = ""


def document(table: Sequence[PublicRoute], prefix: str) -> Schema:
    """Make the OpenAPI 3.1 document of the table."""
    used: dict[Any, None] = {ProblemDocument: None}
    for route in table:
        for part in (route.body, route.shows):
            if part not in (None, type(None)):
                used[part] = None
        for _, hint, _ in _parameters(route):
            used[hint] = None
    schemas, components = msgspec.json.schema_components(
        list(used), schema_hook=_ours, ref_template="#/components/schemas/{name}"
    )
    schema_of = dict(zip(used, map(_decimals_as_numbers, schemas), strict=True))
    links = _links(table)
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        paths.setdefault(route.path, {})[route.verb.lower()] = _operation(route, schema_of, links)
    described: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "Mercat",
            "version": version("mercat"),
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": prefix}],
        "tags": [{"name": name, "description": what} for name, what in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": components,
            "headers": _HEADERS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }
    return _publicly_named(described)


def _publicly_named(described: Schema) -> Schema:
    """Give components the nouns of the API: what we call `CartShown` is its `Cart`. Where two would be one,
    both keep the names they have."""
    ours: Schema = described["components"]["schemas"]
    public = {name: _public_name(name) for name in ours}
    taken = Counter(public.values())
    names = {name: noun if taken[noun] == 1 else name for name, noun in public.items()}
    start = "#/components/schemas/"

    def renamed(part: Any) -> Any:
        if isinstance(part, list):
            return [renamed(each) for each in cast(list[Any], part)]
        if not isinstance(part, dict):
            return part
        given = {name: renamed(value) for name, value in cast(Schema, part).items()}
        reference = given.get("$ref")
        if isinstance(reference, str) and reference.startswith(start):
            given["$ref"] = start + names[reference.removeprefix(start)]
        title = given.get("title")
        if isinstance(title, str):
            given["title"] = names.get(title, title)
        return given

    shown = cast(Schema, renamed(described))
    schemas: Schema = shown["components"]["schemas"]
    shown["components"]["schemas"] = {names[name]: schema for name, schema in schemas.items()}
    return shown


def _public_name(name: str) -> str:
    for ending, public in _NAMES:
        if name.endswith(ending):
            return name.removesuffix(ending) + public
    return name


def _links(table: Sequence[PublicRoute]) -> dict[str, list[str]]:
    """List by name of an id the operations that read what it names."""
    links: dict[str, list[str]] = {}
    for route in table:
        names = route.at("path")
        if route.verb == "GET" and len(names) == 1 and not route.at("filters"):
            links.setdefault(names[0], []).append(route.name)
    return links


def _ours(kind: type) -> Schema:
    if issubclass(kind, Id):
        return {
            "type": "string",
            "pattern": f"^{kind.prefix}_[0-9a-z]{{13}}$",
            "examples": [str(kind(0x1234567890ABCDE))],
        }
    raise NotImplementedError(f"no schema for {kind.__name__}")


def _decimals_as_numbers(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_decimals_as_numbers(one) for one in cast(list[Any], schema)]
    if not isinstance(schema, dict):
        return schema
    given = cast(Schema, schema)
    if given.get("format") == "decimal":
        return {"type": "number"}
    return {name: _decimals_as_numbers(value) for name, value in given.items()}


def _parameters(route: Route) -> Iterable[tuple[str, Any, Schema]]:
    """Yield name, type and the rest of each parameter."""
    for name in route.at("path"):
        yield name, route.hints[name], {"name": name, "in": "path", "required": True}
    for name in route.at("query"):
        given = route.signature.parameters[name]
        required = given.default is given.empty
        yield name, route.hints[name], {"name": name, "in": "query", "required": required}
    if route.filters:
        for field in msgspec.structs.fields(route.filters):
            if field.encode_name.endswith("NAME]"):
                note = "NAME stands for any name; it may be repeated, for each of several names."
                given = {"name": field.encode_name, "in": "query", "required": False, "description": note}
                yield field.encode_name, list[str], given
                continue
            yield (
                field.encode_name,
                field.type,
                {"name": field.encode_name, "in": "query", "required": field.required},
            )


def _operation(route: PublicRoute, schema_of: dict[Any, Schema], links: dict[str, list[str]]) -> Schema:
    parameters = [{**given, "schema": schema_of[hint]} for _, hint, given in _parameters(route)]
    if route.honours_key:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": route.keyed,
                "description": "The same key again gets the same answer, and nothing is done twice.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            }
        )
    parameters += [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": words,
            "schema": {"type": "string", "maxLength": 2_000},
        }
        for name, words in route.headers.items()
    ]
    operation: Schema = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.summary.split(". ")[0].rstrip("."),
        "description": _description(route),
        "parameters": parameters,
        "responses": _responses(route, schema_of, links),
    }
    if route.body:
        operation["requestBody"] = {
            "required": route.body_needed,
            "content": {"application/json": {"schema": schema_of[route.body]}},
        }
    if route.uploads:
        fields = {"file": {"type": "string", "format": "binary"}, "alt": {"type": "string"}}
        form = {"type": "object", "properties": fields, "required": ["file"]}
        operation["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": form}}}
    operation["security"] = [] if route.needs == "nobody" else [{"bearer": []}, {"cookie": []}]
    return operation


def _description(route: PublicRoute) -> str:
    needs = f" Needs {_NEEDS[route.needs]}." if route.needs != "nobody" else ""
    refuses = f" Refuses: {', '.join(f'`{code}`' for code in route.refuses)}." if route.refuses else ""
    scopes = " or ".join(f"`{scope}`" for scope in route.scopes)
    keys = f" An API key needs {scopes}." if scopes else ""
    return f"{route.summary}{needs}{keys}{refuses}"


def _responses(route: PublicRoute, schema_of: dict[Any, Schema], links: dict[str, list[str]]) -> Schema:
    answer: Schema = {"description": "As asked.", "headers": _of_answer(route)}
    if followed := _links_of(route, links):
        answer["links"] = followed
    if route.shows not in (None, type(None)):
        answer["content"] = {"application/json": {"schema": schema_of[route.shows]}}
        for kind in route.or_answers.split(", ") if route.or_answers else ():
            answer["content"][kind] = {"schema": {"type": "string"}}
    elif route.answers != "application/json":
        answer["content"] = {route.answers: {"schema": {"type": "string", "format": "binary"}}}
    responses: Schema = {str(status): answer for status in (route.status, *route.also)}
    codes: dict[int, list[str]] = {}
    for status, code in sorted({*refusals(route), *_of_any_request(route)}):
        codes.setdefault(status, []).append(code)
    for status, some in sorted(codes.items()):
        refusal = _refusal(f"{HTTPStatus(status).phrase}: {', '.join(some)}")
        if status in _WAIT:
            refusal["headers"] = {"Retry-After": _header("Retry-After")}
        responses[str(status)] = refusal
    responses["default"] = _refusal("Any other refusal.")
    return responses


_WAIT = frozenset({409, 429, 503})


def _header(name: str) -> Schema:
    return {"$ref": f"#/components/headers/{name}"}


def _of_answer(route: PublicRoute) -> Schema:
    names = ["ETag"] if route.verb == "GET" else []
    names += ["Location"] if route.location else []
    names += ["Idempotent-Replayed"] if route.honours_key else []
    return {name: _header(name) for name in (*names, "RateLimit", "RateLimit-Policy")}


def _links_of(route: PublicRoute, links: dict[str, list[str]]) -> Schema:
    """Link what a route has made to the operations that read it."""
    if route.verb == "GET" or not (isinstance(route.shows, type) and issubclass(route.shows, msgspec.Struct)):
        return {}
    names = [field.encode_name for field in msgspec.structs.fields(route.shows) if field.encode_name in links]
    return {
        operation: {"operationId": operation, "parameters": {name: f"$response.body#/{name}"}}
        for name in names
        for operation in links[name]
    }


def _of_any_request(route: PublicRoute) -> list[tuple[int, str]]:
    """List what is refused because of how it was sent, whatever it is."""
    codes = ["bad_request", "not_acceptable", "misdirected_request"]
    if route.verb != "GET":
        codes.append("request_timeout")
    if route.body:
        codes.append("unsupported_media_type")
    return [(Refusal.named(code).status, code) for code in codes]


def _refusal(description: str) -> Schema:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {"description": description, "content": content}


def refusals(route: PublicRoute) -> list[tuple[int, str]]:
    """List status and code of each refusal to expect of a route."""
    codes = list(route.refuses)
    if route.needs != "nobody":
        codes.append("sign_in_first")
    if route.needs in ("seller", "operator"):
        codes.append("forbidden")
    if route.at("path"):
        codes.append("not_found")
    if route.body or route.uploads or route.at("query", "filters"):
        codes.append("invalid")
    if route.body or route.uploads:
        codes.append("too_large")
    codes += ["too_many_requests", "overloaded", "unavailable"]
    return sorted({(Refusal.named(code).status, code) for code in codes})


class ApiDocs:
    """The routes that tell of the others, written when first asked for: it takes a second."""

    def __init__(self, table: Sequence[PublicRoute], prefix: str) -> None:
        self._table = table
        self._prefix = prefix
        self._written = Snapshot(partial(asyncio.to_thread, self._write), inf)
        self._styles = files("mercat.web").joinpath("docs.css").read_bytes()

    async def openapi(self, request: Request) -> Response:
        described, _ = await self._written.get()
        return self._kept(described, "application/json")

    async def docs(self, request: Request) -> Response:
        _, shown = await self._written.get()
        return self._kept(shown, "text/html")

    def _write(self) -> tuple[bytes, bytes]:
        described = document(self._table, self._prefix)
        shown = page(described, self._table, self._prefix)
        return msgspec.json.format(codec.encode(described), indent=2), shown.encode()

    async def styles(self, request: Request) -> Response:
        return self._kept(self._styles, "text/css")

    def _kept(self, content: bytes, media_type: str) -> Response:
        tag = (
            f'W/"{len(content):x}-{crc32(content):x}"'  # here, because it is too long for the door to tag it
        )
        return Response(
            content, media_type=media_type, headers={"Cache-Control": SELDOM_CHANGED, "ETag": tag}
        )


def _needed(route: PublicRoute) -> str:
    return _NEEDS[route.needs]


def page(described: Schema, table: Sequence[PublicRoute], prefix: str) -> str:
    """Render the document for people: plain HTML that needs no script."""
    pages = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    filters = cast(dict[str, Any], cast(Any, pages).filters)
    filters["shape"] = partial(shape, components=described["components"]["schemas"])
    filters["needs"] = _needed
    filters["refusals"] = refusals
    filters["id"] = _anchor
    return pages.from_string(files("mercat.web").joinpath("docs.html").read_text()).render(
        document=described, table=table, tags=TAGS, prefix=prefix
    )


def _anchor(route: Route) -> str:
    return f"{route.verb}-{re.sub(r'[^a-z]+', '-', route.path).strip('-')}".lower()


def shape(schema: Schema, components: Schema, depth: int = 0) -> str:
    """Say a schema as a reader wants it: `{"title": string, "price": number, "brand"?: string}`."""
    if "$ref" in schema:
        schema = components[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return " | ".join(shape(one, components, depth) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(msgspec.json.encode(value).decode() for value in schema["enum"])
    kind = schema.get("type")
    if kind == "array":
        return f"[{shape(schema.get('items', {}), components, depth)}, …]"
    if kind == "object" and "properties" in schema:
        required = schema.get("required", [])
        margin = "  " * (depth + 1)
        lines = [
            f'{margin}"{name}"{"" if name in required else "?"}: {shape(of, components, depth + 1)}'
            for name, of in schema["properties"].items()
        ]
        return "{\n" + ",\n".join(lines) + "\n" + "  " * depth + "}"
    if kind == "object":
        return "{name: " + shape(schema.get("additionalProperties", {}), components, depth) + "}"
    if "pattern" in schema and schema.get("examples"):
        return schema["examples"][0].partition("_")[0] + "_…"
    bounds = [
        f"{sign} {schema[name]}"
        for name, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("maxLength", "length ≤"),
            ("format", ""),
        )
        if name in schema
    ]
    return " ".join([str(kind or "anything"), *(bound.strip() for bound in bounds)])


def markdown(table: Sequence[PublicRoute], prefix: str) -> str:
    """Write docs/api.md."""
    parts = ["# The API", "", _INTRODUCTION]
    parts.append(
        "This page is generated from the tables of routes in `mercat/web` (`python -m\n"
        "mercat.lab.docs` writes it); every name and shape is in\n"
        f"`{prefix}/openapi.json`, and to read at `{prefix}/docs`. All paths below start with\n"
        f"`{prefix}`.\n"
    )
    for tag, what in TAGS.items():
        parts += [f"## {tag}", "", what, "", "| route | what it does | needs | answers | refuses |"]
        parts.append("| --- | --- | --- | --- | --- |")
        for route in table:
            if route.tag != tag:
                continue
            codes = ", ".join(
                f"{status} `{code}`" for status, code in refusals(route) if status not in (429, 503)
            )
            statuses = ", ".join(str(status) for status in (route.status, *route.also))
            needs = _NEEDS[route.needs] or "nothing"
            if route.scopes:
                needs += " or a key with " + " or ".join(f"`{scope}`" for scope in route.scopes)
            cells = (f"`{route.verb} {_with_parameters(route)}`", route.summary, needs, statuses, codes)
            parts.append(f"| {' | '.join(cells)} |")
        parts.append("")
    parts += [
        "## At the root",
        "",
        "`GET /health` (the process answers), `GET /ready` (200 only when the shop can sell, else 503), "
        "`GET /metrics` (Prometheus).",
        "",
    ]
    return "\n".join(parts)


def _with_parameters(route: Route) -> str:
    names = [name for name, _, given in _parameters(route) if given["in"] == "query"]
    return route.path + ("?" + "&".join(names) if names else "")
