"""Every setting there is, with its default. An environment variable `MERCAT_<NAME>` sets it."""

import hmac
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

Part = TypeVar("Part")


class Secret(str):
    """A key that is given by the environment alone, and never shown: not in a log, nor in a traceback."""

    def told(self) -> str:
        return str.__str__(self)

    def __repr__(self) -> str:
        return "Secret(…)" if self else "Secret()"

    __str__ = __repr__


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a process of the shop is told. Times are in seconds."""

    postgres_host: str = ""
    """A host name, or the folder of a local socket."""
    postgres_port: int = 5432
    postgres_database: str = "mercat"
    store_url: str = "unix:///tmp/mercat-store.sock"
    """Valkey that keeps carts and sessions (append-only, never evicts)."""
    cache_url: str = "unix:///tmp/mercat-cache.sock"
    """Valkey that may forget: products, limits."""
    data: Path = Path("data")
    """The folder of this shop: index, pictures, mailbox."""
    secret_key: str = "development"
    """What passwords of roles and signatures are derived from. `mercat serve` makes one a shop."""
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 2
    log_level: str = "warning"
    """What is said on standard error: debug (every request), info, warning or error."""
    reload: bool = False
    """Whether workers start again when a file of the package changes: `make dev`. Needs watchfiles."""
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")] = "USD"
    """The one currency the shop sells in."""
    search_sold_out: Literal["among_others", "last", "hidden"] = "among_others"
    """Where lists and searches have products that are sold out; `last`: in searches by relevance."""
    opensearch_url: str = ""
    """The OpenSearch that search runs on, `http[s]://[user:password@]host:port`; empty: an index in the
    shop's folder."""
    opensearch_index: str = "mercat"
    """The name of the shop's index there; one for each shop."""
    pool_size: int = 4
    """Connections a service and process opens at most."""
    tax_rate_ppm: int = 0
    """Tax where no destination rule says otherwise, in parts per million."""
    account_rate: float = 100
    """Requests a second an account may make on average."""
    account_burst: int = 3_000
    address_rate: float = 50
    """Requests a second an address may make on average; loopback is not limited unless `limit_loopback`."""
    address_burst: int = 400
    limit_loopback: bool = False
    flash_rate: float = 50
    """People a second that may join flash sales from one range of addresses (/24, or /48 of IPv6)."""
    flash_burst: int = 1_000
    proxies: str = ""
    """Addresses (between spaces) of our own proxies, whose `X-Forwarded-For` is believed."""
    requests_at_once: int = 1000
    """What a worker answers at the same time; beyond it requests are refused at once (503)."""
    secure_cookies: bool = False
    """Behind TLS: cookies are sent over TLS only."""
    product_cache_s: float = 5
    """How stale a cached product may be when pub/sub is cut."""
    reservation_s: float = 900
    """How long an abandoned checkout holds its stock."""
    commission_ppm: int = 100_000
    """What the shop keeps of a seller's goods, in parts per million."""
    quote_s: float = 600
    lease_s: float = 15
    provider_timeout_s: float = 8
    payment_provider: str = "sandbox"
    """Who takes the money: a name in the list of `mercat.payments.providers`."""
    stale_authorisation_s: float = 3600
    """An authorisation that nobody captured within this is voided."""
    reconcile_every_s: float = 86_400
    """How often our books are compared with the provider's by themselves (0: never)."""
    decide_within_s: float = 60
    """A checkout that cannot be carried out is undone after this."""
    mail_from: str = "shop@mercat.example"
    smtp_url: str = ""
    """Where mail goes: `smtp://[user:password@]host[:port]` (STARTTLS where the server offers it) or
    `smtps://…`; empty: it stays in the mailbox at /dev/mail."""
    public_url: str = ""
    """Where people reach the shop, for links in mails (empty: its host and port)."""
    services: str = ""
    """Which services live in this process (empty: all)."""
    addresses: dict[str, str] = {}
    """Where other services live: name to URL (`MERCAT_<NAME>_URL`)."""
    variables: dict[str, Secret] = {}
    """Every other `MERCAT_<NAME>`, by its name in small letters: for parts with settings of their own, as
    payment providers have."""

    def database(self) -> dict[str, Any]:
        return {"host": self.postgres_host, "port": self.postgres_port, "database": self.postgres_database}

    def replication(self) -> dict[str, Any]:
        """Return the arguments of psycopg2's replication connection."""
        return {
            "host": self.postgres_host,
            "port": self.postgres_port,
            "dbname": self.postgres_database,
            "user": "mercat_events",
            "password": self.secret("mercat_events"),
        }

    def secret(self, name: str) -> str:
        """Derive a password or key of its own for each name from the one secret (HMAC-SHA-256)."""
        return hmac.new(self.secret_key.encode(), name.encode(), sha256).hexdigest()

    def key(self, name: str) -> bytes:
        return bytes.fromhex(self.secret(name))

    def link(self, path: str) -> str:
        """Return the address of a page of the shop as people outside reach it."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/") + path

    def part(self, kind: type[Part]) -> Part:
        """Read the settings that a part declares for itself; WrongSetting names one of the wrong kind."""
        return _read(kind, {name: value.told() for name, value in self.variables.items()})

    def only(self) -> frozenset[str]:
        """Return the services of this process, where it does not have all of them."""
        return named(self.services)

    def address_of(self, service: str) -> str | None:
        return self.addresses.get(service)


def named(services: str) -> frozenset[str]:
    """Read the names in a list with commas."""
    return frozenset(name.strip() for name in services.split(",") if name.strip())


class WrongSetting(ValueError):
    """A variable has a value that its setting cannot have; says which."""


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from `MERCAT_…` variables; WrongSetting names one of the wrong kind."""
    given: dict[str, Any] = {
        name.removeprefix("MERCAT_").lower(): value
        for name, value in environment.items()
        if name.startswith("MERCAT_")
    }
    own = {name: given.pop(name) for name in Settings.__struct_fields__ if name in given}
    addresses = {name.removesuffix("_url"): value for name, value in given.items() if name.endswith("_url")}
    return _read(Settings, {**own, "addresses": addresses, "variables": given})


def _read(kind: type[Part], given: Mapping[str, Any]) -> Part:
    try:
        return msgspec.convert(given, kind, strict=False, dec_hook=lambda kind, value: kind(value))
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$.")
        name = place.rstrip("`")
        value = repr(given.get(name, "")) if kind is Settings else "what it is"  # which may be a secret
        raise WrongSetting(f"MERCAT_{name.upper()} cannot be {value}: {what}.") from None
