"""The shape of the code itself: what no reviewer should have to look for."""

import ast
import re
from importlib import import_module
from pathlib import Path
from typing import get_args

import asyncpg
import pytest

from mercat.events import AnyEvent
from mercat.ids import Id
from mercat.kit import codec, sql
from mercat.migrations import SCHEMAS
from mercat.payments import PROVIDERS
from mercat.shop import SERVICES

ROOT = Path(__file__).parents[2]
WITH_SQL = [service for service in SERVICES if (ROOT / "mercat" / service / "queries.sql").is_file()]
DOORS = [*SERVICES, "web"]


@pytest.mark.parametrize("service", ["kit", *WITH_SQL])
async def test_every_statement_is_valid_against_the_schema_as_its_own_role(service, pool):
    db = await pool("events" if service == "kit" else service)
    async with db.acquire() as connection:
        for name, statement in vars(sql.load(f"mercat.{service}")).items():
            try:
                if "create temporary table" in statement:
                    await connection.execute(statement)
                await connection.prepare(statement)
            except asyncpg.PostgresError as error:
                pytest.fail(f"{service}.{name}: {error}")


@pytest.mark.parametrize("package", ["resharding", "cli.moves"])
async def test_every_statement_that_the_owner_runs_is_valid(package, db):
    async with db.acquire() as connection:
        for statement in vars(sql.load(f"mercat.{package}")).values():
            await connection.prepare(statement)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_every_statement_of_a_payment_provider_is_valid_as_the_role_of_payments(provider, pool):
    folder = f"payments/providers/{provider}"
    if (ROOT / "mercat" / folder / "queries.sql").is_file():
        async with (await pool("payments")).acquire() as connection:
            for statement in vars(sql.load(f"mercat.{folder.replace('/', '.')}")).values():
                await connection.prepare(statement)


def test_a_payment_provider_is_named_in_its_own_folder_and_in_the_list():
    allowed = {
        "mercat/payments/providers/__init__.py",
        "mercat/pricing/tax_providers/__init__.py",
        "mercat/kit/stripe_amounts.py",  # what both of its adapters count in
        "mercat/money.py",
    }
    for path in (ROOT / "mercat").rglob("*"):
        if path.suffix in {".py", ".html", ".js", ".css", ".sql"} and "lab" not in path.parts:
            here = str(path.relative_to(ROOT))
            if here not in allowed and not any(own in here for own in ("/providers/stripe/", "/stripe_tax/")):
                assert "stripe" not in path.read_text().lower().replace("striped", ""), here


def test_every_service_that_keeps_something_has_migrations():
    assert {*SCHEMAS} == {name for name, service in SERVICES.items() if not service.stateless}


@pytest.mark.parametrize("event", get_args(AnyEvent), ids=lambda event: event.__name__)
def test_every_event_has_a_key_that_is_an_id_of_its_own(event):
    [field] = [each for each in codec.fields_of(event) if each.name == event.key]
    [kind] = get_args(field.type) or [field.type]
    assert issubclass(kind, Id)
    assert field.required, "what was told long ago has it too"


@pytest.mark.parametrize("service", SCHEMAS)
async def test_a_role_can_reach_its_own_schema_only(service, pool, db):
    own = await pool(service)
    tables = await db.fetch(
        "select schemaname || '.' || tablename as name, schemaname from pg_tables "
        "where schemaname = any($1::text[]) or schemaname = 'events'",
        list(SCHEMAS),
    )
    assert len(tables) > 20
    for table in tables:
        if table["schemaname"] != service:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await own.execute(f"select from {table['name']} limit 1")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await own.execute("insert into events.log (id, kind, body) values (1, 'x', '{}')")


@pytest.mark.parametrize("service", WITH_SQL)
def test_a_service_reads_only_its_own_schema(service):
    others = set(SERVICES) - {service}
    for statement in vars(sql.load(f"mercat.{service}")).values():
        code = re.sub(r"--[^\n]*|'[^']*'|/\*.*?\*/", "", statement)
        named = re.findall(r"\b(?:from|join|into|update|table)\s+(\w+)\.\w+", code)
        assert not others & set(named)


def test_a_service_is_imported_by_its_door_only():
    for path in (ROOT / "mercat").rglob("*.py"):
        home = ".".join(path.relative_to(ROOT).parts[:2])
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                inside = [door for door in DOORS if node.module.startswith(f"mercat.{door}.")]
                assert not inside or home == f"mercat.{inside[0]}", f"{path}: import from mercat.{inside[0]}"


@pytest.mark.parametrize("service", DOORS)
def test_a_door_says_what_is_behind_it(service):
    assert import_module(f"mercat.{service}").__doc__
