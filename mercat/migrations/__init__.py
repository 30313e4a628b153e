"""Creates and updates every service's schema and role. Running it again changes nothing."""

import re
from pathlib import Path

import asyncpg

from mercat.kit import sql
from mercat.settings import Settings

SERVICES = (
    "accounts",
    "catalog",
    "sellers",
    "inventory",
    "payments",
    "orders",
    "cart",
    "checkout",
    "flashsale",
    "fulfilment",
    "reviews",
    "wishlist",
    "recommendations",
    "notifications",
    "search",
)
"""Everyone with tables, or who follows the log."""

queries = sql.load("mercat.kit")
_LOCK = 7_264_001  # one migration at a time, whoever starts it


async def migrate(superuser: asyncpg.Connection, settings: Settings) -> None:
    """As the owner of the database: schemas in one transaction each, then roles and what they may do."""
    await superuser.execute("select pg_advisory_lock($1)", _LOCK)
    try:
        async with superuser.transaction():
            await superuser.execute(schema("events"))
        for service in SERVICES:
            async with superuser.transaction():
                await superuser.execute(f"create schema if not exists {service}")
                if has_tables(service):
                    await superuser.execute(schema(service))
                await _role(superuser, settings, service)
        async with superuser.transaction():
            await _reader_roles(superuser, settings)
    finally:
        await superuser.execute("select pg_advisory_unlock($1)", _LOCK)


async def open_slot(superuser: asyncpg.Connection) -> None:
    """From here on no fact is lost, though the relay may start later: the slot holds the WAL for it."""
    if not await superuser.fetchval(queries.slot_exists, "mercat"):
        await superuser.execute(queries.open_slot, "mercat")


def has_tables(service: str) -> bool:
    return Path(__file__).with_name(service).is_dir()


def schema(service: str) -> str:
    """The tables of a service; creating them again changes nothing."""
    return Path(__file__).with_name(service).joinpath("0001_initial.sql").read_text()


async def _create_role(
    superuser: asyncpg.Connection, settings: Settings, role: str, options: str = ""
) -> None:
    assert re.fullmatch(r"[a-z_]+", role)
    if not await superuser.fetchval("select true from pg_roles where rolname = $1", role):
        await superuser.execute(f"create role {role} login")
    await superuser.execute(f"alter role {role} {options} password '{settings.secret(role)}'")


async def _role(superuser: asyncpg.Connection, settings: Settings, service: str) -> None:
    role = f"mercat_{service}"
    await _create_role(superuser, settings, role)
    await superuser.execute(f"""
        revoke all on schema public from {role};
        grant usage on schema {service} to {role};
        grant select, insert, update, delete, truncate on all tables in schema {service} to {role};
        grant usage on all sequences in schema {service} to {role};
        grant execute on all functions in schema {service} to {role};
        grant usage on schema events to {role};
        revoke create on database "{settings.postgres_database}" from {role};
        grant temporary on database "{settings.postgres_database}" to {role};
    """)


async def _reader_roles(superuser: asyncpg.Connection, settings: Settings) -> None:
    """`mercat_events` keeps the log; `mercat_audit` reads everything and writes nothing."""
    await _create_role(superuser, settings, "mercat_events", "replication")
    await _create_role(superuser, settings, "mercat_audit")
    await superuser.execute("""
        grant usage, create on schema events to mercat_events;
        grant all on all tables in schema events to mercat_events;
        alter table events.log owner to mercat_events;
        grant pg_monitor to mercat_events;
        grant pg_read_all_data to mercat_audit;
        grant pg_monitor to mercat_audit;
    """)
