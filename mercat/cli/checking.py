"""`mercat check`: looks over a shop and its machine, and says what to do about each thing it finds."""

import asyncio
import ctypes
import os
import shutil
import ssl
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import asyncpg
import msgspec
import typer
from cryptography import x509
from rich.console import Console
from rich.table import Table

from mercat.cli.options import HERE, AsJson, Data, MaybeConfig
from mercat.cli.supervise import WORKER
from mercat.embedded import Connection, Home, connected
from mercat.embedded.archive import SLOT as ARCHIVE_SLOT
from mercat.embedded.archive import Archive
from mercat.embedded.backup import backups_in
from mercat.embedded.processes import environment_below
from mercat.kit.wal import SLOT
from mercat.migrations import migrations_in
from mercat.payments import declaration
from mercat.settings import Settings, WrongSetting, load
from mercat.shop import SERVICES, settings_of_providers, unknown_settings

Level = Literal["fine", "look", "wrong"]
_CODES: dict[Level, int] = {"fine": 0, "look": 1, "wrong": 2}
_ENOUGH_BYTES, _FEW_BYTES = 5 * 2**30, 512 * 2**20
_FEW_FILES = 0.05
_LAG_BYTES_MAX = 1 << 30
_BACKUP_DAYS = 8
_CERTIFICATE_DAYS = 21
_FILES_MIN = 8_192
_CLOCK_BACK = timedelta(seconds=5)
_STA_UNSYNC = 0x40
_ELSEWHERE = frozenset({"ready_fd", "listen_fd"})
"""Variables that no person sets."""


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    what: str
    level: Level
    said: str
    do: str = ""


commands = typer.Typer()


@commands.command()
def check(data: Data = HERE, as_json: AsJson = False, config: MaybeConfig = None) -> None:
    """Look over settings, versions, disk, clock, replication slots, backups and certificates.

    The settings are those of the open shop; of one that is closed, those of this shell. With --config, ask
    every engine and process that the file names. Nothing is changed.

    Exits with 0 where all is well, 1 where something should be looked at, 2 where something is wrong."""
    if config:
        from mercat.cli.checking_config import look_over_config

        found = look_over_config(config)
    else:
        found = list(look_over(data, os.environ))
    if as_json:
        typer.echo(msgspec.json.encode({"found": found}))
    else:
        show(found)
    raise typer.Exit(max(_CODES[each.level] for each in found))


def look_over(data: Path, environment: Mapping[str, str]) -> Iterator[Check]:
    """Look at everything, what needs no engine first. `environment` counts where the shop is closed."""
    shops_own = environment_of(data)
    try:
        settings = load(shops_own or environment)
        declaration(settings)
    except WrongSetting as wrong:
        yield Check("settings", "wrong", str(wrong), "Correct the variable; docs/settings.md has them all.")
        return
    yield from of_settings(settings)
    if not shops_own:
        said = "These are the variables of this shell: no shop is open here whose own could be read."
        yield Check("settings", "fine", said)
    yield from of_certificate(settings, datetime.now(UTC))
    yield of_python()
    yield of_files()
    yield of_clock()
    if not Home.made(data):
        yield Check("shop", "wrong", f"There is no shop in {data}.", f"mercat serve --data {data} opens one.")
        return
    home = Home(data)
    yield from of_folder(home)
    kept = Archive.of(home.path)
    yield from of_backups(kept, datetime.now(UTC))
    running = home.running()
    with connected(home, "mercat check") as shop:
        yield from asyncio.run(_of_database(shop, serves=bool(running and running.port), archived=bool(kept)))


def environment_of(data: Path) -> dict[str, str]:
    """Return the variables that an open shop's workers were started with; none of one that is closed."""
    running = Home(data).running() if Home.made(data) else None
    return environment_below(running.supervisor, WORKER) if running and running.port else {}


def of_settings(settings: Settings) -> Iterator[Check]:
    """Look for variables that mean nothing, and for settings that do not go together."""
    unknown = list(misspelt(settings))
    yield from unknown
    for wrong, said, do in _pairs(settings):
        if wrong:
            yield Check("settings", "look", said, do)
    if not unknown and not any(wrong for wrong, _, _ in _pairs(settings)):
        yield Check("settings", "fine", "Each is one that is known, and they go together.")


def misspelt(settings: Settings) -> Iterator[Check]:
    """Look for names that no part of the shop reads."""
    known = {*Settings.__struct_fields__, *settings_of_providers()} - {"variables", "addresses"}
    known |= {f"{service}_url" for service in SERVICES}
    for name in unknown_settings(settings):
        if name in _ELSEWHERE:
            continue
        near = get_close_matches(name, known, 1)
        meant = f" Did you mean MERCAT_{near[0].upper()}?" if near else ""
        yield Check(
            "settings", "look", f"MERCAT_{name.upper()} is no setting.{meant}", "Remove or correct it."
        )


def _pairs(settings: Settings) -> list[tuple[bool, str, str]]:
    tls = settings.public_url.startswith("https://")
    public = bool(settings.public_url) and not settings.is_local
    return [
        (
            not settings.public_url and settings.host not in ("127.0.0.1", "::1", "localhost"),
            "Others reach the shop, and it does not know by what address.",
            "Set MERCAT_PUBLIC_URL.",
        ),
        (
            tls and not settings.secure_cookies,
            "The public address is https, and cookies are sent without it too.",
            "Set MERCAT_SECURE_COOKIES=true.",
        ),
        (
            settings.secure_cookies and not tls,
            "Cookies need https, and the public address is not.",
            "Set MERCAT_PUBLIC_URL to an https address, or nobody stays signed in.",
        ),
        (
            bool(settings.tls_certificate) != bool(settings.tls_key),
            "A certificate needs its key, and a key its certificate.",
            "Set MERCAT_TLS_CERTIFICATE and MERCAT_TLS_KEY, or neither.",
        ),
        (
            tls and not settings.tls_certificate and not settings.proxies,
            "A proxy ends TLS before the shop, and the shop does not know it: all visitors are one network.",
            "Set MERCAT_PROXIES to the proxy's address.",
        ),
        (
            public and settings.dev_pages,
            "Test mode is on in a public shop: everybody sees its test cards and demo logins.",
            "Unset MERCAT_DEV_PAGES, and open the shop without --demo.",
        ),
        (
            public and not declaration(settings).real_money,
            f"The payment provider is {declaration(settings).title}: no money moves.",
            "Set MERCAT_PAYMENT_PROVIDER and its keys.",
        ),
        (public and not settings.smtp_url, "No letter leaves the shop.", "Set MERCAT_SMTP_URL."),
    ]


def of_certificate(settings: Settings, now: datetime) -> Iterator[Check]:
    """Look whether the certificate is whole, of this shop, and good for some weeks."""
    if not (settings.tls_certificate and settings.tls_key):
        return
    path = Path(settings.tls_certificate)
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(path, settings.tls_key)
        certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ssl.SSLError, ValueError) as error:
        yield Check("certificate", "wrong", f"{path}: {error}", "Give a certificate and its key, as PEM.")
        return
    left = (certificate.not_valid_after_utc - now).days
    level: Level = "wrong" if left < 0 else "look" if left < _CERTIFICATE_DAYS else "fine"
    do = "" if level == "fine" else "Renew it, then: mercat reload"
    yield Check(
        "certificate", level, f"It ends {certificate.not_valid_after_utc:%Y-%m-%d} ({left} days).", do
    )
    host = urlsplit(settings.public_url).hostname
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        held = names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        held = []
    if host and not {host, f"*.{host.partition('.')[2]}"} & {*held}:
        said = f"It is for {', '.join(held) or 'nobody'}, not for {host}."
        yield Check("certificate", "wrong", said, "Take one for the host of MERCAT_PUBLIC_URL.")


def of_python() -> Check:
    """Say which Python runs the shop."""
    return Check("versions", "fine", f"Mercat {version('mercat')} on Python {sys.version.split()[0]}.")


def of_files() -> Check:
    """Look how many files a process may have open."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY or most >= _FILES_MIN:
        return Check("open files", "fine", f"A process may have {most:,}.")
    return Check(
        "open files",
        "look",
        f"A process may have {most:,}, and each connection is one.",
        f"Raise the limit to {_FILES_MIN:,} or more (LimitNOFILE= of systemd, ulimit -n).",
    )


def of_clock() -> Check:
    """Ask the kernel whether something keeps its clock."""
    try:
        told = ctypes.create_string_buffer(512)
        state = ctypes.CDLL(None, use_errno=True).adjtimex(told)
        status = int.from_bytes(told.raw[40:44], sys.byteorder)
    except (OSError, AttributeError):
        return Check("clock", "fine", "This system does not tell whether its clock is kept.")
    if state == -1 or not status & _STA_UNSYNC:
        return Check("clock", "fine", "It is kept." if state != -1 else "The kernel does not tell.")
    return Check(
        "clock",
        "look",
        "Nothing keeps this machine's clock, says the kernel.",
        "Run chrony or systemd-timesyncd: sales, sessions and two-step codes go by the clock.",
    )


def of_folder(home: Home) -> Iterator[Check]:
    """Look at the disk, and who may read the shop's secret."""
    mode = (home.path / "secret.key").stat().st_mode & 0o777
    if mode & 0o077:
        yield Check("secret", "wrong", f"Others may read it ({mode:o}).", f"chmod 600 {home.path}/secret.key")
    for folder in {home.path, *filter(None, [home.place("postgres")])}:
        yield of_disk(folder)


def of_disk(folder: Path) -> Check:
    """Look how much room there is."""
    free = shutil.disk_usage(folder).free
    files = os.statvfs(folder)
    few = files.f_files and files.f_favail / files.f_files < _FEW_FILES
    said = f"{free / 2**30:,.1f} GB are free for {folder}."
    if free < _FEW_BYTES:
        return Check("disk", "wrong", said, "Make room at once: the shop stops selling when it is full.")
    if free < _ENOUGH_BYTES or few:
        return Check("disk", "look", said if not few else f"Few files are left for {folder}.", "Make room.")
    return Check("disk", "fine", said)


def of_backups(kept: Archive | None, now: datetime) -> Iterator[Check]:
    """Look whether there are backups, and how old they are."""
    if kept is None:
        yield Check("backup", "look", "There is none.", "mercat backup DIR, on another disk, once a day.")
        return
    whole = backups_in(kept.folder) if kept.folder.exists() else {}
    if not whole:
        said = f"There is none left in {kept}."
        yield Check("backup", "wrong", said, f"mercat backup {kept}")
        return
    newest = [*whole.values()][-1].ended
    level: Level = "look" if now - newest > timedelta(days=_BACKUP_DAYS) else "fine"
    said = f"{len(whole)} in {kept}, the newest of {newest:%Y-%m-%d %H:%M} UTC."
    yield Check("backup", level, said, "" if level == "fine" else f"mercat backup {kept}")
    if not kept.bucket:
        yield of_disk(kept.folder)


async def _of_database(shop: Connection, *, serves: bool, archived: bool) -> list[Check]:
    owner = await asyncpg.connect(**shop.postgres())
    try:
        return [
            *await of_migrations(owner),
            *await _of_slots(owner, serves=serves, archived=archived),
            *await _of_work(owner),
            await _of_newest(owner),
        ]
    finally:
        await owner.close()


async def of_migrations(owner: asyncpg.Connection) -> list[Check]:
    """Compare the migrations that the database has had with those that this program knows."""
    server = await owner.fetchval("show server_version")
    rows = await owner.fetch("select service, number from migrations.applied")
    had = {(row["service"], row["number"]) for row in rows}
    known = {(each.service, each.number) for each in migrations_in()}
    if had - known:
        said = f"The database is newer than this program, by {len(had - known)} migrations."
        return [Check("versions", "wrong", said, "Install the version of Mercat that made it.")]
    if known - had:
        said = f"{len(known - had)} migrations are to come."
        return [Check("versions", "look", said, "mercat migrate, or mercat reload where the shop is open.")]
    return [Check("versions", "fine", f"PostgreSQL {server}; the database is of this version.")]


async def _of_slots(owner: asyncpg.Connection, *, serves: bool, archived: bool) -> list[Check]:
    rows = await owner.fetch(
        "select slot_name as name, active, coalesce(pg_current_wal_lsn() - restart_lsn, 0)::bigint as held "
        "from pg_replication_slots where not temporary"
    )
    found: list[Check] = []
    wanted = {SLOT} | ({ARCHIVE_SLOT} if archived else set[str]())
    for row in rows:
        name, said = row["name"], f"{row['name']} holds back {row['held'] / 2**20:,.0f} MB of log."
        do = {
            SLOT: "The back worker reads it: look at the log for `the relay starts again`.",
            ARCHIVE_SLOT: "See that the folder of backups can be written, or: mercat backup --stop",
        }.get(name, f"If nobody reads it any more: select pg_drop_replication_slot('{name}')")
        late = row["held"] > _LAG_BYTES_MAX
        stands = serves and not row["active"]
        level: Level = "wrong" if late else "look" if stands or name not in wanted else "fine"
        found.append(Check("slots", level, said, "" if level == "fine" else do))
    for missing in sorted(wanted - {row["name"] for row in rows}):
        do = "mercat migrate" if missing == SLOT else "mercat backup DIR"
        found.append(Check("slots", "wrong", f"The slot {missing} is gone.", do))
    return found


async def _of_work(owner: asyncpg.Connection) -> list[Check]:
    parked = await owner.fetchval("select count(*) from events.parked")
    behind = await owner.fetchval(
        "select coalesce(max(r.last_id - p.at), 0) from events.position p cross join events.relayed r"
    )
    found = [
        Check("work", "look", f"{parked:,} events are parked.", "See events.parked for why, mend it, retry.")
        if parked
        else Check("work", "fine", "No event is parked.")
    ]
    if behind > _BEHIND_MAX:
        found.append(
            Check("work", "look", f"A follower is {behind:,} events behind.", "See the log for which.")
        )
    return found


async def _of_newest(owner: asyncpg.Connection) -> Check:
    """Compare the clock with the newest that the shop has written: ids and sales go by it."""
    newest = await owner.fetchval("select max(spent_until) from events.id_number where isfinite(spent_until)")
    if newest and newest > datetime.now(UTC) + _CLOCK_BACK:
        said = f"The shop has made ids of {newest:%Y-%m-%d %H:%M:%S}, and this clock is behind that."
        return Check("clock", "wrong", said, "Set the clock; until then no process gets a number of its own.")
    return Check("clock", "fine", "It is not behind what the shop has written.")


_BEHIND_MAX = 100_000
_STYLES: dict[Level, str] = {"fine": "green", "look": "yellow", "wrong": "red"}


def show(found: list[Check]) -> None:
    """Show what was found as a table on standard error."""
    table = Table("what", "", "found", "do")
    for each in found:
        table.add_row(each.what, f"[{_STYLES[each.level]}]{each.level}", each.said, each.do)
    Console(stderr=True).print(table)
