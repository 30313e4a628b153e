"""The database roles: one a service, confined to its own schema, and two that read all of them."""

import re
from collections.abc import Iterable

import asyncpg

from mercat.kit import sql
from mercat.settings import Settings

queries = sql.load("mercat.migrations")


async def grant_all(owner: asyncpg.Connection, settings: Settings, services: Iterable[str]) -> None:
    """Create the roles that are missing, set every password, and grant what each role may do."""
    for service in services:
        await _grant_service(owner, settings, service)
    await _grant_readers(owner, settings)


async def grant_new(owner: asyncpg.Connection, service: str) -> None:
    """Grant a service whatever its schema has now, where its role is there already: the code that runs uses
    what a migration has added as soon as it is there, such as the sequence behind a column's default."""
    role = "mercat_events" if service == "events" else f"mercat_{service}"
    if await owner.fetchval(queries.has_role, role):
        await owner.execute(_in_schema(service, role))


def _in_schema(service: str, role: str) -> str:
    return f"""
        grant usage on schema {service} to {role};
        grant select, insert, update, delete, truncate on all tables in schema {service} to {role};
        grant usage on all sequences in schema {service} to {role};
        grant execute on all functions in schema {service} to {role};
    """


async def _grant_service(owner: asyncpg.Connection, settings: Settings, service: str) -> None:
    role = f"mercat_{service}"
    await _create(owner, settings, role)
    await owner.execute(_in_schema(service, role))
    await owner.execute(f"""
        revoke all on schema public from {role};
        grant usage on schema events to {role};
        revoke create on database "{settings.postgres_database}" from {role};
        grant temporary on database "{settings.postgres_database}" to {role};
    """)


async def _grant_readers(owner: asyncpg.Connection, settings: Settings) -> None:
    """Grant `mercat_events` the log, and `mercat_audit` to read everything and write nothing."""
    await _create(owner, settings, "mercat_events", "replication")
    await _create(owner, settings, "mercat_audit")
    await owner.execute("""
        grant usage, create on schema events to mercat_events;
        grant all on all tables in schema events to mercat_events;
        grant execute on all functions in schema events to mercat_events;
        alter table events.log owner to mercat_events;
        grant pg_monitor to mercat_events;
        grant pg_read_all_data to mercat_audit;
        grant pg_monitor to mercat_audit;
    """)


async def _create(owner: asyncpg.Connection, settings: Settings, role: str, options: str = "") -> None:
    assert re.fullmatch(r"[a-z_]+", role)
    if not await owner.fetchval(queries.has_role, role):
        await owner.execute(f"create role {role} login")
    await owner.execute(f"alter role {role} {options} password '{settings.secret(role)}'")
