"""`mercat check --config`: asks every engine and process that a file names, and changes nothing."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx

from mercat.cli.checking import Check, Level, misspelt, of_migrations
from mercat.cli.checking_valkey import of_valkey
from mercat.cli.options import with_config
from mercat.cli.supervise import connections_for
from mercat.kit import sql
from mercat.kit.db_errors import AWAY
from mercat.kit.neighbours import Neighbour, call_key
from mercat.kit.refusals import Refusal
from mercat.kit.valkey_cluster import addresses_in
from mercat.kit.wal import SLOT
from mercat.migrations import migrations_in
from mercat.migrations.sharding import SHARD_SCHEMAS
from mercat.payments import declaration
from mercat.resharding import buckets_of
from mercat.search import nodes_in
from mercat.settings import Settings, WrongSetting, load
from mercat.shard_places import ShardPlace, misplaced, show_buckets
from mercat.shop import SERVICES

queries = sql.load("mercat.kit")
_CLOCKS_APART_S = 5
_ANSWERS_WITHIN_S = 5.0
_REMEMBERS_DAYS = 3
_COPIES = 2
_BEHIND_BYTES_MAX = 16 * 2**20
_LEFT_OFF = """
    select bucket::int, state, other from orders.moving
    where state <> 'arrived' and at < now() - interval '1 hour'
"""


def look_over_config(config: Path) -> list[Check]:
    """Look at all that a file names."""
    try:
        settings = load(with_config(config))
        declaration(settings)
    except WrongSetting as wrong:
        return [Check("settings", "wrong", str(wrong), "Correct the file, or the variable.")]
    found = [*misspelt(settings), *of_file(settings)]
    return [*found, *asyncio.run(_of_engines(settings))]


def of_file(settings: Settings) -> Iterator[Check]:
    """Look at what contradicts itself before anything is asked."""
    if settings.has_default_secret:
        said = "The secret key is the one that everybody knows: whoever reaches a port is one of the shop."
        yield Check("secret", "wrong", said, "Name a file with a secret by secret_key_file.")
    else:
        yield Check("secret", "fine", "The shop has a secret of its own.")
    for unknown in sorted(settings.addresses.keys() - SERVICES.keys()):
        yield Check("services", "wrong", f"There is no service {unknown!r}.", "Correct its name.")
    if {*addresses_in(settings.store_url)} & {*addresses_in(settings.cache_url)}:
        said = "Store and cache are one Valkey: one keeps everything, the other forgets what it likes."
        yield Check("valkey", "wrong", said, "Give each a server of its own.")
    if not settings.opensearch_url:
        said = "The search index is in the data folder: on several machines each would have its own."
        yield Check("search", "look", said, "Give [search] opensearch, unless all runs on one machine.")


async def _of_engines(settings: Settings) -> list[Check]:
    looks: list[tuple[str, Callable[[Settings], AsyncIterator[Check]]]] = [
        ("postgres", _of_postgres),
        *((f"orders {place.name}", partial(_of_shard, place=place)) for place in settings.shards()),
        ("orders", _of_buckets),
        *((place.name, partial(_of_replica, place=place)) for place in settings.replicas()),
        ("ids", _of_ids),
        ("store", lambda settings: of_valkey("store", settings.store_url, keeps=True)),
        ("cache", lambda settings: of_valkey("cache", settings.cache_url, keeps=False)),
        ("log", _of_kafka),
        ("search", _of_opensearch),
        ("analytics", _of_clickhouse),
        ("services", _of_services),
    ]
    found = await asyncio.gather(*(_looked(what, look(settings)) for what, look in looks))
    return [each for part in found for each in part]


async def _looked(what: str, look: AsyncIterator[Check]) -> list[Check]:
    found: list[Check] = []
    try:
        async with asyncio.timeout(3 * _ANSWERS_WITHIN_S):
            async for each in look:
                found.append(each)
    except (*AWAY, asyncpg.PostgresError, httpx.HTTPError, Refusal, WrongSetting) as error:
        reason = str(error.__cause__ or error) or type(error).__name__
        found.append(Check(what, "wrong", f"It does not answer: {reason[:200]}", "See that it runs."))
    return found


async def _of_postgres(settings: Settings) -> AsyncIterator[Check]:
    async with _reading(settings) as reader:
        for each in await of_migrations(reader):
            yield each
        yield _wal_level(await reader.fetchval("show wal_level"))
        for each in _log(settings, await reader.fetchrow("select closed, kafka_ends from events.relayed")):
            yield each
        yield _slot(await reader.fetch("select slot_name, active from pg_replication_slots"))
        yield _connections(int(await reader.fetchval("show max_connections")), settings.pool_size)
        yield _clock(await reader.fetchval("select clock_timestamp()"))


async def _of_shard(settings: Settings, place: ShardPlace) -> AsyncIterator[Check]:
    """Ask a database of orders for its version, its buckets and its relay."""
    what, own = f"orders {place.name}", not place.host
    async with _reading(settings.at(place)) as reader:
        if not own:
            had = {*await reader.fetch("select service, number from migrations.applied")}
            services = {"events", *SHARD_SCHEMAS}
            wanted = {(each.service, each.number) for each in migrations_in() if each.service in services}
            if {(row["service"], row["number"]) for row in had} != wanted:
                yield Check(what, "look", "It is of another version.", "mercat migrate --config FILE")
                return
            yield _wal_level(await reader.fetchval("show wal_level"))
            yield _slot(await reader.fetch("select slot_name, active from pg_replication_slots"), place.slot)
        shard, buckets = await reader.fetchrow("select shard, buckets::text from orders.here") or ("", "")
        if shard == place.name:
            yield Check(what, "fine", f"It has the buckets {buckets}.")
        else:
            said = f"It is {shard}." if shard else "It was given no buckets yet."
            yield Check(what, "wrong", said, "mercat migrate --config FILE, or another address.")


async def _of_replica(settings: Settings, place: ShardPlace) -> AsyncIterator[Check]:
    """See that a database follows the shop's own, and how far behind it is."""
    async with _reading(settings) as own, _reading(settings.at(place)) as reader:
        written = await own.fetchval(queries.wal_written)
        reached = await reader.fetchval(queries.wal_reached)
    behind = None if reached is None else max(written - reached, 0)
    if behind is None:
        said = f"What is at {place.host} follows nobody: it has not what is written."
        yield Check(place.name, "wrong", said, "Name a streaming replica of postgres.main.")
    elif behind > _BEHIND_BYTES_MAX:
        said = f"It is {behind / 2**20:,.0f} MB behind: nothing is read there meanwhile."
        yield Check(place.name, "look", said, "See that it keeps up.")
    else:
        yield Check(place.name, "fine", f"It follows, {behind:,.0f} bytes behind.")


async def _of_buckets(settings: Settings) -> AsyncIterator[Check]:
    """See that each bucket is in one database, as they say themselves, and that no move was left off."""
    found: dict[str, list[int]] = {}
    moves: list[asyncpg.Record] = []
    for place in settings.shards():
        async with _reading(settings.at(place)) as reader:
            found[place.name] = await buckets_of(reader)
            with suppress(asyncpg.UndefinedTableError):  # of the release before
                moves += await reader.fetch(_LEFT_OFF)
    if not any(found.values()):
        return
    nowhere, twice = misplaced(found.values())
    if twice or nowhere:
        said = f"{nowhere} buckets are in no database, and {twice} in several: nobody buys there."
        yield Check("orders", "wrong", said, "`mercat shard status` says whether a move was cut off.")
    else:
        yield Check("orders", "fine", "Each bucket is in one database.")
    homes = {bucket: name for name, buckets in found.items() for bucket in buckets}
    for each in _left_off(moves, homes):
        yield each


def _left_off(moves: Sequence[asyncpg.Record], homes: Mapping[int, str]) -> Iterator[Check]:
    """Say which moves are to be gone on with, or cleared up after, as a move to where they are does."""
    to = {row["bucket"]: homes[row["bucket"]] for row in moves if row["bucket"] in homes}
    to |= {row["bucket"]: row["other"] for row in moves if row["state"] == "leaving"}
    for name in sorted({*to.values()}):
        buckets = show_buckets(sorted(bucket for bucket in to if to[bucket] == name))
        said = (
            f"Buckets {buckets} left rows in another database over an hour ago: addresses there outlast an "
            "erasure."
        )
        yield Check("moves", "look", said, f"mercat shard move {buckets} --to {name} --config FILE")


@asynccontextmanager
async def _reading(settings: Settings) -> AsyncGenerator[asyncpg.Connection]:
    """Connect by the role that can only read."""
    reader = await asyncpg.connect(
        **settings.database(),
        user="mercat_audit",
        password=settings.secret("mercat_audit"),
        timeout=_ANSWERS_WITHIN_S,
    )
    try:
        yield reader
    finally:
        await reader.close()


def _log(settings: Settings, log: asyncpg.Record | None) -> Iterator[Check]:
    """Look whether the event log is where the settings say."""
    closed, ends = log or (None, None)
    if not settings.kafka_url and closed is not None:
        said = "The event log of this shop goes on in Kafka, and these settings have none."
        yield Check("log", "wrong", said, "Give [log] kafka.")
    elif not settings.kafka_url and ends is not None:
        said = "The event log came back from Kafka, and some have not read that to its end."
        yield Check("log", "wrong", said, "Give [log] kafka, with back = true.")
    elif settings.log_back and closed is None and ends is None:
        yield Check("log", "look", "The event log is back, and all have read Kafka's.", "Remove [log].")


def _wal_level(level: str) -> Check:
    if level == "logical":
        return Check("postgres", "fine", "Its log can be read for events.")
    return Check("postgres", "wrong", f"wal_level is {level}: no event is told.", "Set wal_level = logical.")


def _slot(rows: Sequence[asyncpg.Record], slot: str = SLOT) -> Check:
    active = {row["slot_name"]: row["active"] for row in rows}
    if slot not in active:
        return Check("relay", "wrong", f"The slot {slot} is gone.", "mercat migrate --config FILE")
    if not active[slot]:
        return Check("relay", "look", "No relay reads events.", "mercat work relay --config FILE")
    return Check("relay", "fine", "A relay reads events.")


def _connections(most: int, pool_size: int) -> Check:
    of_all = connections_for(1, pool_size)
    said = (
        f"It takes {most:,} connections; a web and a back process with all services open {of_all:,} at most."
    )
    if most >= of_all:
        return Check("postgres", "fine", said)
    return Check("postgres", "look", said, "Raise max_connections, or lower pool_size.")


def _clock(there: datetime) -> Check:
    apart = abs((datetime.now(UTC) - there).total_seconds())
    said = f"The clocks of PostgreSQL and this machine are {apart:.1f} s apart."
    if apart < _CLOCKS_APART_S:
        return Check("clock", "fine", said)
    return Check("clock", "wrong", said, "Keep the clocks of all machines, by chrony or systemd-timesyncd.")


async def _of_ids(settings: Settings) -> AsyncIterator[Check]:
    numbers = await asyncpg.connect(
        **settings.id_database(),
        user="mercat_events",
        password=settings.secret("mercat_events"),
        timeout=_ANSWERS_WITHIN_S,
    )
    try:
        free = await numbers.fetchval(
            "select count(*) from events.id_number where until < now() and spent_until < now()"
        )
    finally:
        await numbers.close()
    level: Level = "fine" if free else "wrong"
    yield Check(
        "ids", level, f"{free} of 256 worker numbers are free.", "" if free else "Stop some processes."
    )


async def _of_kafka(settings: Settings) -> AsyncIterator[Check]:
    """Ask the brokers for the topic of facts, which the relay makes."""
    if not settings.kafka_url:
        return
    try:
        from mercat.kit.kafka_log import KafkaAway, look_at
    except ImportError:
        yield Check("log", "wrong", "Kafka's client is not installed.", "pip install 'mercat[kafka]'")
        return
    try:
        brokers, topic = await look_at(settings.kafka(), settings.kafka_topic)
    except KafkaAway as away:
        yield Check("log", "wrong", f"Kafka does not answer: {away}"[:200], "See that its brokers run.")
        return
    said = f"Kafka, {brokers} brokers; "
    if topic is None:
        yield Check("log", "look", f"{said}there is no topic yet.", "mercat work relay --config FILE")
    elif topic.forgets_after_days < _REMEMBERS_DAYS:
        said += f"it forgets facts after {topic.forgets_after_days:.1f} days, read or not."
        yield Check("log", "look", said, f"Set retention.ms of the topic to {_REMEMBERS_DAYS} days or more.")
    elif topic.copies < _COPIES:
        said += f"{topic.copies} copies of {topic.partitions} partitions: a disk that dies takes facts along."
        yield Check("log", "look", said, "Three brokers, and a topic with three copies.")
    else:
        yield Check("log", "fine", f"{said}{topic.copies} copies of {topic.partitions} partitions.")


async def _of_opensearch(settings: Settings) -> AsyncIterator[Check]:
    if not settings.opensearch_url:
        return
    nodes, auth = nodes_in(settings.opensearch_url)
    async with httpx.AsyncClient(timeout=_ANSWERS_WITHIN_S, auth=auth) as http:
        for check in await asyncio.gather(*(_of_node(http, node) for node in nodes)):
            yield check


async def _of_node(http: httpx.AsyncClient, node: str) -> Check:
    place = urlsplit(node).netloc
    try:
        answer = await http.get(node)
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        return Check(
            "search", "wrong", f"OpenSearch does not answer at {place}: {reason}", "See that it runs."
        )
    if answer.status_code != HTTPStatus.OK:
        said = f"OpenSearch answers {answer.status_code} at {place}."
        return Check("search", "wrong", said, "See its user and password in the URL.")
    about = answer.json().get("version", {})
    said = f"{about.get('distribution', 'OpenSearch')} {about.get('number')} at {place}."
    return Check("search", "fine", said)


async def _of_clickhouse(settings: Settings) -> AsyncIterator[Check]:
    """Ask the ClickHouse for its version; the database may be made yet."""
    if not settings.clickhouse_url:
        return
    parts = urlsplit(settings.clickhouse_url)
    address = urlunsplit((parts.scheme, parts.netloc, "/", "", ""))
    async with httpx.AsyncClient(timeout=_ANSWERS_WITHIN_S) as http:
        answer = await http.post(address, content=b"select version()")
    if answer.status_code != HTTPStatus.OK:
        said = f"ClickHouse answers {answer.status_code}."
        yield Check("analytics", "wrong", said, "See its user and password in the URL.")
        return
    yield Check("analytics", "fine", f"ClickHouse {answer.text.strip()}.")


async def _of_services(settings: Settings) -> AsyncIterator[Check]:
    for name, url in sorted(settings.addresses.items()):
        if name not in SERVICES:
            continue
        neighbour = Neighbour(name, f"{url.rstrip('/')}/internal/{name}", call_key(settings))
        try:
            reply = await neighbour("/_many/-", b"[]", _ANSWERS_WITHIN_S)
        finally:
            await neighbour.close()
        if reply.status == HTTPStatus.NOT_FOUND:  # signed rightly, and there is no such verb
            yield Check("services", "fine", f"{name} answers at {url}.")
        elif reply.status == HTTPStatus.UNAUTHORIZED:
            said = f"{name} at {url} has another secret, or a clock that is a minute away."
            yield Check("services", "wrong", said, "Give all processes one secret, and keep their clocks.")
        else:
            said = f"What answers at {url} is no {name}: {reply.status}."
            yield Check("services", "wrong", said, f"mercat work web --only {name} there.")
