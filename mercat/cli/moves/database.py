"""The database: from the shop's own PostgreSQL to a server elsewhere that follows it, and back.

PostgreSQL's own streaming replication copies everything, sequences, roles and passwords too. What it does not
copy are the slots of the relays: those are made on the server that follows before the last word is written,
so each relay reads on there from before where it was, and `events.relayed` says what the log has already."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

import asyncpg

from mercat.cli.moves.parts import OneWriter, PartAway, PlacesDiffer, Say, Way, engines_here, in_order
from mercat.embedded import Home, Trouble, programs
from mercat.embedded.home import OWNER, read_json
from mercat.embedded.postgres import Postgres
from mercat.embedded.processes import Process
from mercat.kit import sql
from mercat.kit.db_errors import AWAY
from mercat.settings import Settings, libpq_encryption

queries = sql.load("mercat.cli.moves")
_FOLLOWS_WITHIN_S = 24 * 3_600
_NEAR_WITHIN_S = 60
"""The same once more when it is handed over: it did follow a moment ago."""
_ENDS_WITHIN_S = 2.0
"""For transactions that write when writers are kept out; what is not committed by then is refused."""
_REPLAYS_WITHIN_S = 30.0
_SLOT_WITHIN_S = 60.0
_NEAR_BYTES = 4 * 1024 * 1024
_LOOKS_EVERY_S = 0.05
_SAYS_EVERY_S = 300
_ROOM_BYTES = 2 * 2**30
_BACK_SLOT = "mercat_back"
"""Of ours while it follows the server elsewhere: that keeps its log for us until then."""
_KEEP_OUT = "alter system set default_transaction_read_only = on"
_LET_IN = "alter system reset default_transaction_read_only"
_RELOAD = "select pg_reload_conf()"
_NO_RELOAD = "PostgreSQL does not reload."
_NO_TLS = (
    "there is no way back by this command: the shop's own PostgreSQL was built without TLS, and cannot "
    "follow one that asks for it. Close the shop, `pg_dump --create --clean --if-exists` there, take "
    "postgres_… out of moved_in.json, and restore here by `PGOPTIONS='-c default_transaction_read_only=off' "
    "mercat psql -- -d template1 -f …`: docs/growing.md, A dump instead"
)
_WAS_LEFT = (
    "The database in this folder has moved to another server (events.move): the latest orders may be there "
    "alone. moved_in.json of the folder, which says where, lacks it: put it back. Or, where it is to be here "
    "again, bring all of it by a dump from there. See docs/growing.md, A dump instead."
)
_TO_FOLLOW = """no server that follows this shop's database answers there yet: {reason} On that machine:
  ssh -N -L 127.0.0.1:5433:{socket} USER@THIS-MACHINE &
  PGPASSWORD=... pg_basebackup -h 127.0.0.1 -p 5433 -U {owner} -D DIR -R -X stream -c fast
  postgres -D DIR -c listen_addresses='*' -c unix_socket_directories=/tmp    with hosts in DIR/pg_hba.conf
  (PostgreSQL 18; the password is the first line that `mercat psql -- -c '\\! echo $PGPASSWORD'` says)"""


class ShopDatabase(OneWriter):
    """The database of a shop."""

    name: ClassVar[str] = "database"
    keys: ClassVar[tuple[str, ...]] = (
        "postgres_host",
        "postgres_port",
        "postgres_database",
        "postgres_tls",
        "postgres_tls_root",
    )

    def __init__(self, told: Settings, here: Mapping[str, Any] | None = None) -> None:
        """Take `here`, how to connect to the shop's own, where that is not the one of its folder."""
        self._told = told
        self._own = here
        self._elsewhere = {**told.database(), "user": OWNER, "password": told.secret(OWNER)}

    async def plan(self, way: Way) -> str:
        none = await asyncio.to_thread(self._no_way_back)
        said = await super().plan(way)
        return f"{said}; {none}" if none else said

    async def extent(self, way: Way) -> str:
        async with _connected(self._places(way)[0]) as source:
            size = await source.fetchval("select pg_database_size(current_database())")
        how = "a server there follows" if way == "there" else "the one of this machine follows"
        return f"{size / 2**20:,.0f} MB are copied while {how}"

    async def check(self, way: Way) -> None:
        if way == "back" and (none := await asyncio.to_thread(self._no_way_back)):
            raise PlacesDiffer(f"{none}.")
        source, target = self._places(way)
        async with _connected(source) as s:
            if others := [row["name"] for row in await s.fetch(queries.other_databases)]:
                raise PlacesDiffer(
                    f"the server has other databases too ({', '.join(others)}): whoever writes there would "
                    "be kept out with ours. Move them elsewhere first."
                )
        with suppress(*AWAY, asyncpg.InvalidAuthorizationSpecificationError):  # it may not be there yet
            async with _connected(target) as t:
                if way == "there" and not (await _standing(t))["follows"]:
                    await _check_not_moved(t)

    async def fill(self, way: Way, say: Say) -> None:
        """Wait until where it goes follows where it is; on this machine, have it follow."""
        if way == "there":
            await self._check_source()
        elif not await self._streams_here():
            await self._follow_elsewhere(say)
        await self._wait_until_near(way, say)

    async def verify(self, way: Way) -> str:
        source, target = self._places(way)
        async with _connected(source) as s, _connected(target) as t:
            await _check_follows(s, t)
            behind = await t.fetchval(queries.behind_by, await s.fetchval(queries.written))
        none = await asyncio.to_thread(self._no_way_back)
        return f"it follows, {behind / 1024:,.0f} kB behind{'; ' + none if none else ''}."

    async def hand_over(self, way: Way, say: Say) -> None:
        source, target = self._places(way)
        async with _connected(source) as s, _connected(target) as t:
            await s.execute("set default_transaction_read_only = off")
            if not await t.fetchval("select pg_is_in_recovery()"):
                if not await _is_handed_over(s, t):
                    raise PlacesDiffer("the server it goes to follows no more, and has to be made anew.")
            else:
                if way == "back":  # it was taken already, or would be instead of what is written from now on
                    self._postgres().drop_copy()
                await self._wait_until_near(way, say, _NEAR_WITHIN_S)
                await self._bring_over(s, t, way, say)
            for setting in ("default_transaction_read_only", "hot_standby_feedback", *_FOLLOWING[way]):
                await t.execute(f"alter system reset {setting}")
            await t.execute(_RELOAD)

    async def let_in(self, way: Way, *, stays: bool = False) -> None:
        source, target = self._places(way)
        await let_writers_in(source)
        if stays and way == "back":
            self._postgres().drop_copy()
            async with _connected(source) as s:
                async with _connected(target) as t:  # ours stops following
                    for setting in _FOLLOWING[way]:
                        await t.execute(f"alter system reset {setting}")
                    await t.execute(_RELOAD)
                await _dropped(s, [_BACK_SLOT])

    async def settle(self, way: Way, say: Say) -> None:
        """Drop what would keep the log of a database that nobody writes any more."""
        source, target = self._places(way)
        if _address(source) == _address(target):  # the place that was left is not known any more
            say("where it was before, drop the slots `mercat` and `mercat_back`: they keep its log.")
            return
        async with _connected(source) as s, _connected(target) as t:
            if way == "there":  # it says itself that it was left, whatever becomes of moved_in.json
                await s.execute("set default_transaction_read_only = off")
                await s.execute(queries.note_left)
            names = [row["name"] for row in await t.fetch(queries.slots_to_take_along)]
            await _dropped(s, [*names, *([_BACK_SLOT] if way == "back" else [])])
        where = "in this shop's folder" if way == "there" else "on the server"
        say(f"the former database {where} takes no writes any more: keep it until you are sure.")

    # -- the steps of a hand-over

    async def _bring_over(self, s: asyncpg.Connection, t: asyncpg.Connection, way: Way, say: Say) -> None:
        await t.execute("alter system set hot_standby_feedback = on")
        await t.execute(_RELOAD)
        await self._take_slots_along(s, t, way)
        begun = monotonic()
        await self._keep_out(s, way)
        await s.execute(queries.last_word)
        await _replayed(s, t)
        if not await t.fetchval(queries.promote):
            raise PartAway("The server that follows does not take over.")
        for name in await s.fetch(queries.slots_to_take_along):
            if not await t.fetchval(queries.has_slot, name["name"]):
                raise PartAway("The place of the relay is lost there.")
        say(f"everything is there {monotonic() - begun:.2f} s after the last write.")

    async def _take_slots_along(self, s: asyncpg.Connection, t: asyncpg.Connection, way: Way) -> None:
        """Make the slots of the relays there, and wait until each relay has passed where they begin: what was
        told before is in the log then, and what comes later is read there."""
        for row in await s.fetch(queries.slots_to_take_along):
            name: str = row["name"]
            await _dropped(t, [name])  # of an earlier attempt: it may be far behind
            making = asyncio.create_task(t.fetchval(queries.make_slot, name, timeout=_SLOT_WITHIN_S))
            try:
                while not making.done():
                    await s.execute(queries.note_snapshot)
                    await asyncio.wait([making], timeout=0.2)
                await making
            finally:
                making.cancel()
            begins = await t.fetchval(queries.slot_at, name)

            async def passed(name: str = name, begins: str = begins) -> bool:
                return await s.fetchval(queries.slot_passed, name, begins)

            await _until(passed, _SLOT_WITHIN_S, "The relay has not told yet what was told a minute ago.")

    async def _keep_out(self, s: asyncpg.Connection, way: Way) -> None:
        """Have all sessions read only: those that begin from now on are, those that were are ended."""
        await s.execute(_KEEP_OUT)
        await s.execute(_RELOAD)
        source, _ = self._places(way)
        await _until(lambda: _begins(source, read_only=True), _REPLAYS_WITHIN_S, _NO_RELOAD)
        with suppress(PartAway):

            async def ended() -> bool:
                return not await s.fetchval(queries.still_writing)

            await _until(ended, _ENDS_WITHIN_S, "Somebody writes still.")
        await s.execute(queries.end_sessions)

        async def gone() -> bool:
            return not await s.fetchval(queries.still_writing)

        await _until(gone, _REPLAYS_WITHIN_S, "Sessions do not end.")

    # -- following

    async def _check_source(self) -> None:
        if self._told.postgres_database != self._here()["database"]:
            raise PlacesDiffer(f"a copy has the name of what is copied: /{self._here()['database']}.")
        if self._own is None and read_json(self._told.data / "archive.json"):
            raise PlacesDiffer("this shop's log is kept elsewhere. First: mercat backup --stop.")

    async def _wait_until_near(self, way: Way, say: Say, seconds: float = _FOLLOWS_WITHIN_S) -> None:
        source, target = self._places(way)
        end, says_next = monotonic() + seconds, monotonic()
        async with _connected(source) as s:
            while True:
                try:
                    async with _connected(target) as t:
                        await _check_follows(s, t)
                        behind = await t.fetchval(queries.behind_by, await s.fetchval(queries.written))
                        streams = (await _standing(t))["streams"]
                        if streams and behind < _NEAR_BYTES:
                            return
                        reason = f"{behind / 2**20:,.0f} MB are to come{'' if streams else ', from nowhere'}."
                except (*AWAY, asyncpg.InvalidAuthorizationSpecificationError) as away:
                    streams, reason = False, f"{str(away).strip() or type(away).__name__}."
                if monotonic() > end:
                    raise PartAway(f"The other server does not follow: {reason}")
                if monotonic() >= says_next:
                    says_next = monotonic() + _SAYS_EVERY_S
                    say(reason if way == "back" or streams else self._how_to_follow(reason))
                await asyncio.sleep(0.5)

    def _how_to_follow(self, reason: str) -> str:
        socket = f"{self._here()['host']}/.s.PGSQL.{self._here()['port']}"
        return _TO_FOLLOW.format(reason=reason, socket=socket, owner=OWNER)

    async def _streams_here(self) -> bool:
        try:
            async with _connected(self._here()) as here, _connected(self._elsewhere) as there:
                here_is, there_is = [await _standing(each) for each in (here, there)]
                return bool(here_is["streams"] and here_is["cluster"] == there_is["cluster"])
        except AWAY:
            return False

    async def _follow_elsewhere(self, say: Say) -> None:
        """Copy the server elsewhere into the shop's folder, and have our own begin there, following it."""
        postgres = self._postgres()
        async with _connected(self._elsewhere) as there:
            _check_room(postgres.folder.parent, await there.fetchval(queries.size_of_all))
            await _dropped(there, [_BACK_SLOT])
            if not await there.fetchval(queries.has_slot, _BACK_SLOT):
                await there.execute("select pg_create_physical_replication_slot($1, true)", _BACK_SLOT)
        say("the database is copied into the shop's folder.")
        try:
            await asyncio.to_thread(_copy_into, postgres, self._elsewhere, self._told)
        except BaseException:
            await asyncio.shield(self._drop_back_slot())
            raise
        recorded = read_json(self._told.data / "engines.json").get(postgres.name)
        if recorded:  # the supervisor starts it again, with those files
            await asyncio.to_thread(Process(*recorded).stop, postgres.stop_signal, 30)

        async def follows() -> bool:
            return await self._streams_here()

        await _until(follows, 120, "The shop's own PostgreSQL does not follow: see log/postgres.log.")

    def _no_way_back(self) -> str:
        """Say why our own PostgreSQL cannot follow one that wants TLS; nothing where it can."""
        if self._told.postgres_tls == "disable":
            return ""
        asked = [
            programs() / "pg_basebackup",
            "-w",
            "-D",
            "/nonexistent",
            "-d",
            "host=/nonexistent sslmode=require",
        ]
        done = subprocess.run([*map(str, asked)], capture_output=True, text=True, env={"LC_ALL": "C"})
        return _NO_TLS if "not compiled in" in done.stderr else ""

    async def _drop_back_slot(self) -> None:
        """Have the server elsewhere keep its log for us no longer: nobody may ever read it."""
        async with _connected(self._elsewhere) as there:

            async def dropped() -> bool:
                await _dropped(there, [_BACK_SLOT])
                return not await there.fetchval(queries.has_slot, _BACK_SLOT)

            await _until(dropped, _REPLAYS_WITHIN_S, f"The slot {_BACK_SLOT} is read still: drop it there.")

    def _postgres(self) -> Postgres:
        """Return the shop's own server, as far as its files go."""
        return Postgres(Home(self._told.data))

    def _here(self) -> Mapping[str, Any]:
        return self._own or engines_here(self._told.data).postgres()

    def _places(self, way: Way) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        return in_order(way, self._here(), self._elsewhere)


_FOLLOWING: dict[Way, tuple[str, ...]] = {
    "there": (),
    "back": ("primary_conninfo", "primary_slot_name"),
}
"""Settings of a server of ours that follows, which it needs no more when it has taken over."""


def _check_room(folder: Path, size: int) -> None:
    """Refuse to copy what has no room beside what is there; its log grows meanwhile."""
    free = shutil.disk_usage(folder).free
    if free < size + _ROOM_BYTES:
        raise PlacesDiffer(
            f"{size / 2**20:,.0f} MB are to be copied into the shop's folder, and {_ROOM_BYTES // 2**20:,} "
            f"MB more are needed, but {free / 2**20:,.0f} MB are free for {folder}."
        )


def _copy_into(postgres: Postgres, elsewhere: Mapping[str, Any], told: Settings) -> None:
    new = postgres.copy.with_name("postgres.copying")
    shutil.rmtree(new, ignore_errors=True)
    where = f"host={elsewhere['host']} port={elsewhere['port']} user={elsewhere['user']}"
    if told.postgres_tls != "disable":
        encrypted = libpq_encryption(told.postgres_tls, told.postgres_tls_root)
        where = " ".join([where, *(f"{name}={value}" for name, value in encrypted.items())])
    environment = {**os.environ, "PGPASSWORD": elsewhere["password"], "LC_ALL": "C"}
    command = [programs() / "pg_basebackup", "-d", where, "-D", new, "-R", "-X", "stream", "-c", "fast", "-w"]
    done = subprocess.run(
        [*map(str, command), "-S", _BACK_SLOT],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Trouble(f"pg_basebackup failed: {(done.stdout.strip().splitlines() or [''])[-1]}")
    own = new / "postgresql.auto.conf"
    followed = [line for line in own.read_text().splitlines() if line.startswith("primary_")]
    former = postgres.folder / "postgresql.auto.conf"
    kept = [
        line
        for line in (former.read_text().splitlines() if former.exists() else [])
        if not line.startswith(("primary_", "default_transaction_read_only", "hot_standby_feedback"))
    ]
    own.write_text("\n".join([*kept, *followed, ""]))
    _give_to(new, postgres)
    shutil.rmtree(postgres.copy, ignore_errors=True)
    new.rename(postgres.copy)


def _give_to(folder: Path, postgres: Postgres) -> None:
    folder.chmod(0o700)
    if postgres.account:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, *postgres.account, follow_symlinks=False)


@asynccontextmanager
async def _connected(place: Mapping[str, Any]) -> AsyncGenerator[asyncpg.Connection]:
    db = await asyncpg.connect(**place, timeout=10, command_timeout=90)
    try:
        yield db
    finally:
        await db.close(timeout=5)


def _address(place: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return place["host"], place["port"], place["database"]


async def _standing(db: asyncpg.Connection) -> Any:
    return await db.fetchrow(queries.standing)


async def _check_follows(s: asyncpg.Connection, t: asyncpg.Connection) -> None:
    here, there = [await _standing(each) for each in (s, t)]
    if here["cluster"] != there["cluster"] or not there["follows"]:
        raise PlacesDiffer("the server it goes to does not follow this shop's: it is another one.")
    if not there["logical"]:
        raise PlacesDiffer("the server it goes to needs wal_level = logical.")


async def _check_not_moved(t: asyncpg.Connection) -> None:
    """Refuse, and advise nothing, where the database has moved to already: its orders may be there alone."""
    if await t.fetchval(queries.has_moved_there):
        raise PlacesDiffer(
            "the server it goes to says that the database has moved there (events.move): the latest orders "
            "may be there alone, so leave it as it is. Was moved_in.json of the shop lost? Put it back."
        )


async def _is_handed_over(s: asyncpg.Connection, t: asyncpg.Connection) -> bool:
    """Say whether all is there: writers are kept out here still, and the last word stands there too."""
    here, there = [await _standing(each) for each in (s, t)]
    if here["cluster"] != there["cluster"] or not await s.fetchval(queries.kept_out):
        return False
    words = [await each.fetchval(queries.last_word_read) for each in (s, t)]
    return words[0] == words[1]


async def let_writers_in(place: Mapping[str, Any]) -> None:
    """Have a server take writes that kept writers out for a hand-over, and wait until it does. Trouble where
    it was left: the database has moved, and goes on elsewhere."""
    async with _connected(place) as db:
        if await db.fetchval(queries.kept_out) and await db.fetchval(queries.was_left):
            raise Trouble(_WAS_LEFT)
        await db.execute(_LET_IN)
        await db.execute(_RELOAD)
        await _until(lambda: _begins(place, read_only=False), _REPLAYS_WITHIN_S, _NO_RELOAD)


async def _begins(place: Mapping[str, Any], *, read_only: bool) -> bool:
    """Say whether a session that begins now is so."""
    async with _connected(place) as new:
        return await new.fetchval(queries.is_read_only) == read_only


async def _replayed(s: asyncpg.Connection, t: asyncpg.Connection) -> None:
    written = await s.fetchval(queries.written)

    async def replayed() -> bool:
        return await t.fetchval(queries.behind_by, written) == 0

    await _until(replayed, _REPLAYS_WITHIN_S, "The server that follows does not keep up.")


async def _dropped(db: asyncpg.Connection, names: list[str]) -> None:
    await db.fetchval(queries.drop_slots, names)


async def _until(condition: Callable[[], Awaitable[bool]], seconds: float, why: str) -> None:
    end = monotonic() + seconds
    while not await condition():
        if monotonic() > end:
            raise PartAway(why)
        await asyncio.sleep(_LOOKS_EVERY_S)
