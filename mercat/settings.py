"""Every setting, with its default: environment variables, or one TOML file for all processes of a shop.

`mercat serve` works without any, and passes what it decides itself (where PostgreSQL and Valkey are, the
secret) to its processes. A value of the wrong kind stops the start and names the variable. Times are in
seconds; "ppm" is parts per million (8.25 % is 82500).

`MERCAT_CONFIG` names the file, as `--config` does; a variable wins over it. It takes every setting of this
page by its name in small letters, and sections that say where things are: see [growing.md](growing.md).

Secrets come from the environment or from files, never from arguments: `MERCAT_SECRET_KEY`, the keys of the
payment provider, and the passwords inside `MERCAT_STORE_URL`, `MERCAT_CACHE_URL`, `MERCAT_KAFKA_URL`,
`MERCAT_OPENSEARCH_URL`, `MERCAT_CLICKHOUSE_URL` and `MERCAT_SMTP_URL`. Each setting can be in a file that
`MERCAT_<NAME>_FILE` names. None is ever written to a log or kept in the repository. `mercat serve` makes a
secret key for each shop and keeps it in the shop's folder, readable by its owner only.
"""

import hmac
import os
import ssl
from collections.abc import Mapping
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from mercat import settings_file
from mercat.countries import country_problem
from mercat.shard_places import ShardPlace, WrongPlaces, address_of, read_places

Part = TypeVar("Part")
EVERYTHING = "*"
"""Of services: all of them, also those that have an address."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Secret(str):
    """A key that comes from the environment alone, and is never shown: not in a log, nor in a traceback."""

    def reveal(self) -> str:
        """Return the key itself, for the library that needs it."""
        return str.__str__(self)

    def __repr__(self) -> str:
        return "Secret(…)" if self else "Secret()"

    __str__ = __repr__


def encryption(tls: str, root: str) -> dict[str, Any]:
    """Return what makes `asyncpg.connect` encrypt (`postgres_tls`, `postgres_tls_root`); nothing if off."""
    if tls == "disable":
        return {}
    context = ssl.create_default_context(cafile=root or None)
    if tls == "require":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return {"ssl": context}


def libpq_encryption(tls: str, root: str) -> dict[str, str]:
    """Return the same for libpq, which takes a root only where it verifies."""
    return {"sslmode": tls} | ({"sslrootcert": root or "system"} if tls == "verify-full" else {})


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a process; each field's text is its row in docs/settings.md."""

    # Where things are
    data: Path = Path("data")
    """The folder of this shop: database, index, pictures, mailbox. The same as `--data`."""
    postgres_host: str = ""
    """A host name, or the folder of a local socket. `mercat serve` starts its own and sets this."""
    postgres_port: int = 5432
    """PostgreSQL's port; of a local socket too."""
    postgres_database: str = "mercat"
    """The name of the database."""
    postgres_owner: str = "mercat"
    """Who owns the database: a superuser, for `mercat migrate --config` alone."""
    postgres_owner_password: Secret = Secret()
    """The owner's password. Empty: derived from the secret key, as those of all other roles are."""
    postgres_tls: Literal["disable", "require", "verify-full"] = "disable"
    """Whether connections to PostgreSQL are encrypted, and whether its certificate has to be right."""
    postgres_tls_root: str = ""
    """A file with the certificate (PEM) that PostgreSQL's own comes from. Empty: those of the system."""
    catalog_replicas: str = ""
    """Addresses of databases that follow the shop's own, `postgresql://host:port/database`, with commas
    between them: products are read there. Empty: all is read from the shop's own."""
    orders_shards: str = ""
    """Which databases have which buckets of orders, to begin with: `main 0-511; orders_1 512-1023
    postgresql://host:5432/mercat`. `main` is the shop's own. Empty: it has all of them."""
    store_url: str = "unix:///tmp/mercat-store.sock"
    """The Valkey that keeps carts and sessions: append-only, never evicts. Several addresses, with commas
    between them, are servers of a cluster. `valkeys://` is TLS, by the system's certificates or by a file's:
    `valkeys://host:port?ssl_ca_certs=FILE`. The name is checked too: a certificate that nobody is to check
    needs `?ssl_cert_reqs=none&ssl_check_hostname=false`."""
    cache_url: str = "unix:///tmp/mercat-cache.sock"
    """The Valkey that may forget: products, limits. Several addresses as for the store."""
    kafka_url: str = ""
    """The Kafka that keeps the event log, `kafka[s]://[user:password@]host:port[,host:port…]`; with a user by
    SCRAM-SHA-512. Needs `pip install mercat[kafka]`. Empty: the log is in PostgreSQL."""
    kafka_topic: str = "mercat"
    """What this shop's topics there begin with: `<name>.facts` and `<name>.reached`. One for each shop."""
    kafka_tls_root: str = ""
    """A file with the certificate (PEM) that the brokers' own come from. Empty: those of the system."""
    log_back: bool = False
    """Whether the log comes back into PostgreSQL: Kafka's is closed, and read to its end."""
    opensearch_url: str = ""
    """The OpenSearch that search runs on, `http[s]://[user:password@]host:port`; with commas several nodes of
    it, with user and password of the first for all. Empty: an index in the shop's folder."""
    opensearch_index: str = "mercat"
    """The name of this shop's index there: one for each shop. Its indexes are `<name>-…`, and older ones are
    removed."""
    opensearch_shards: Annotated[int, msgspec.Meta(ge=1, le=1_024)] = 1
    """Into how many shards an index is cut when it is made, so with the next rebuild: one for each 30 to
    50 GB."""
    opensearch_replicas: Annotated[int, msgspec.Meta(ge=-1, le=10)] = -1
    """How many copies of each shard there are, when an index is made. -1: one, where there is a second
    machine."""
    clickhouse_url: str = ""
    """The ClickHouse that has the facts of reports, `http[s]://[user:password@]host:8123/database`: a
    database for each shop. Empty: DuckDB in the shop's folder."""
    moving: Literal["", "pictures", "search", "search-back", "analytics", "analytics-back"] = ""
    """The part that `mercat move-in` moves now, which is kept in both places: it sets this by itself."""
    secret_key: str = "development"
    """What the passwords of database roles and all signatures are derived from. Change it and everybody is
    signed out. `mercat serve` makes one for each shop."""
    ids_url: str = ""
    """The database where processes lease the numbers that their ids are made with,
    `postgresql://host:port/database`, where that is not the shop's own. One for all that sell together."""
    services: str = ""
    """Which services live in this process, between commas. Empty: all that have no address; `*`: all;
    `*,-analytics`: all but that. The same as `--only`."""
    addresses: dict[str, str] = {}
    """Where the service of this name lives when it is not here, as in
    `MERCAT_CATALOG_URL=http://10.0.0.7:8000`."""

    # Requests
    host: str = "127.0.0.1"
    """The address to listen on. The same as `--host`."""
    port: int = 8000
    """The same as `--port`."""
    probe_port: int = 0
    """Where the supervisor answers `/health` and `/ready` itself, whatever the load, on the same address (0:
    nowhere). The same as `--probe-port`."""
    workers: int = 2
    """Processes that answer requests. The same as `--workers`."""
    purchase_sets: int = 2
    """How many sets of purchases a worker has on their way: more are smaller, and cost more each."""
    otlp_endpoint: str = ""
    """Where traces are sent, as OTLP over HTTP: `http://127.0.0.1:4318`. Empty: none are made."""
    trace_share: float = 1.0
    """Which share of the traces that begin here is kept. Whether others are only a proxy of
    `MERCAT_PROXIES` may say, by `traceparent`."""
    access_log: bool = False
    """Whether each request is a line of the log: method, route, status, time; nothing of who asked."""
    log_level: str = "warning"
    """What is logged on standard error: debug, info, warning or error."""
    dev_pages: bool = False
    """Test mode: the sign-in page shows the demo's logins, checkout the sandbox's test cards, and `/dev/mail`
    all letters. `--demo` sets it."""
    reload: bool = False
    """Whether workers start again when a file of the package changes: `make dev`. Needs watchfiles."""
    public_url: str = ""
    """Where people reach the shop, as in `https://shop.example`: every absolute address begins so, in mails
    and on pages. Empty: mails say its host and port, pages the host that was asked."""
    hosts: str = ""
    """Host names that are answered, between spaces; others get 421. Empty: that of the public URL, the
    listening address and this machine's own names; any, where there is no public URL."""
    proxies: str = ""
    """Addresses or ranges of your own proxies, between spaces, as in `10.0.0.1 192.168.0.0/16`: their
    `X-Forwarded-For` is believed, from the right, nobody else's."""
    tls_certificate: str = ""
    """A file with the certificate and its chain (PEM), to answer HTTPS on the port without a proxy. A new one
    is taken up by `mercat reload`."""
    tls_key: str = ""
    """The file with its key (PEM)."""
    secure_cookies: bool = False
    """Set it behind TLS: cookies are then sent over TLS only, and no other host can set them (`__Host-`)."""
    cors_origins: str = ""
    """Other sites whose pages may use the API from a browser, between spaces, as in
    `https://app.example`; `*` for all. Never with cookies: they read what is public, or bring a bearer token
    of their own."""
    requests_at_once: int = 4_000
    """What a worker answers and lets wait at the same time; beyond it a request gets 503 at once. Long before
    it one is refused that would wait too long."""
    metrics_key: Secret = Secret()
    """The bearer token that `/metrics` asks for. From the environment only. Empty: this machine alone may
    read them, and no proxy on it for others."""
    body_s: float = 10
    """How long the body of a request may take to arrive; one that is not whole by then gets 408."""
    bodies_at_once: int = 100
    """How many unfinished bodies one network may hold in a worker; more get 429 at once. From this machine
    as many as `requests_at_once`."""
    account_rate: float = 100
    """Requests a second that an account may make on average."""
    account_burst: int = 3_000
    """How many of them may come at once."""
    address_rate: float = 50
    """Requests a second that an address may make on average."""
    address_burst: int = 400
    """How many of them may come at once."""
    dear_rate: float = 20
    """Requests a second of the dear kinds (search, pages, signing in, the desk) that an address may make on
    average."""
    dear_burst: int = 200
    """How many of them may come at once."""
    guest_rate: float = 1
    """Guests a second that an address may make on average."""
    guest_burst: int = 200
    """How many of them may be made at once."""
    connections_of_network: int = 500
    """Connections that one network may hold open to a worker; of more the longest idle are closed. Your own
    proxies and this machine are not bounded."""
    flash_rate: float = 50
    """People a second that may join flash sales from one range of addresses (/24, or /48 of IPv6), on
    average."""
    flash_burst: int = 1_000
    """How many of them may come at once."""
    guess_rate: float = 0.5
    """Sign-ins with a wrong password a second that one network may try on average, whatever the accounts.
    From this machine too."""
    guess_burst: int = 30
    """How many of them may come at once."""
    newcomer_rate: float = 0.05
    """Registrations and forgotten passwords a second from one network, on average. From this machine at
    least one a second, 90 at once."""
    newcomer_burst: int = 30
    """How many of them may come at once."""
    limit_loopback: bool = False
    """Limit requests from this machine too."""

    # Selling
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")] = "USD"
    """The one currency the shop sells in, kept from its first opening on. Offers in another stay drafts."""
    shop_name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] = "Mercat"
    """What the shop is called, and its own seller: goods that are imported for nobody else are theirs."""
    lowest_price: Literal["auto", "always", "never"] = "auto"
    """Whether pages say beside a reduction what was the lowest price of thirty days: `auto` where the shop's
    currency is of a country of the EU, the EEA or of the United Kingdom."""
    seller_approval: Literal["auto", "manual"] = "manual"
    """Whether new sellers wait until an operator lets them in (`manual`) or sell at once (`auto`; so with
    `--demo`)."""
    search_sold_out: Literal["among_others", "last", "hidden"] = "among_others"
    """Where products go that are sold out: `among_others`, `last` (in searches by relevance) or `hidden`
    (found by `filters[in_stock]=false` only)."""
    search_learns: bool = True
    """Whether searches learn from clicks and orders, once a day; a worse order is never served."""
    home_country: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}$")] = "US"
    """The country the shop sells from (ISO 3166-1): whether its product pages say "tax included", and where
    a business of another member state of the EU owes the tax itself (reverse charge)."""
    eu_distance_sales: Literal["destination", "origin"] = "destination"
    """Whose VAT consumers of another member state of the EU pay: that of where it goes (OSS), or, below
    10,000 euros a year in all, the home country's (2006/112/EC art. 59c)."""
    tax_rounding: Literal["half_up", "half_even"] = "half_up"
    """Where half a cent of tax goes: up, or to the even cent. It is kept with the order."""
    tax_by: Literal["total", "line"] = "total"
    """Whether tax is rounded on all that has the same rate, or on each line. It is kept with the order."""
    shop_remits_tax: Annotated[
        str, msgspec.Meta(pattern=r"^(\*|[A-Z]{2}(-[A-Z0-9]{1,3})?(, *[A-Z]{2}(-[A-Z0-9]{1,3})?)*)?$")
    ] = "*"
    """Where the shop remits the tax of what its sellers sell (marketplace facilitator), with commas: states
    (`US-CA`), whole countries (`AT`), or `*`, everywhere. Elsewhere it is the sellers': it stands on their
    statements and is paid out to them. It is decided when a purchase begins."""
    tax_provider: str = "tables"
    """Who says what tax an address pays: `tables`, the shop's own rates, or one of the list in
    `mercat/pricing/tax_providers`. While that does not answer the rates do, and the order says so."""
    tax_timeout_s: float = 0.8
    """How long a quote waits for the tax provider; what it said is remembered for five minutes."""
    unknown_weight_g: int = 0
    """What a unit weighs, in grams, where nobody has said it: for delivery by weight."""
    tax_rate_ppm: int = 0
    """Tax where no rule for the destination says otherwise, in ppm."""
    commission_ppm: int = 100_000
    """What the shop keeps of a seller's goods, in ppm."""
    legal_term_days: int = 3_650
    """How long orders keep who bought and where it went once that person asked to be forgotten: as long as
    the law wants books to be kept. Then amounts and tax stay alone."""
    quote_s: float = 600
    """How long a quote holds."""
    reservation_s: float = 900
    """How long an abandoned checkout holds its stock."""
    return_days: float = 30
    """Days after delivery in which goods may be sent back."""
    return_approval: Literal["seller", "auto"] = "seller"
    """Who approves a return: its `seller`, or the shop by itself at once (`auto`)."""
    return_decide_days: float = 14
    """Days after which an operator decides a return that its seller has left lying."""
    lease_s: float = 15
    """How long a process may be silent before another finishes its checkout."""
    decide_within_s: float = 60
    """A checkout that cannot be carried out is undone after this."""

    # Payments
    payment_provider: str = "sandbox"
    """Who takes the money: `sandbox`, which lives in the shop, or another of the list in
    `mercat/payments/providers`."""
    provider_timeout_s: float = 8
    """How long the payment provider may take."""
    stale_authorisation_s: float = 3600
    """An authorisation that nobody captured within this is voided."""
    reconcile_every_s: float = 86_400
    """How often our books are compared with the provider's by themselves (0: never)."""

    payout_provider: str = "sandbox"
    """Who pays sellers out: `sandbox`, which moves no money, or another of the list in
    `mercat/payments/payout_providers`."""
    payout_schedule: Literal["daily", "weekly", "off"] = "daily"
    """When sellers are paid by themselves: every day or every Monday, from midnight UTC on, or only when
    somebody says so (`off`)."""
    payout_hold_days: float = 7
    """Days after delivery in which a seller's money is not paid out yet."""
    payout_minimum: int = 100
    """The least that is paid out, in minor units of the shop's currency; less waits for more."""

    # Speed and freshness
    pool_size: int = 4
    """Connections to PostgreSQL that a service opens in a process, at most."""
    product_cache_s: float = 5
    """How stale a cached product may be while news of changes cannot be heard. Heard, it is fresh at once."""

    # Reports
    analytics_memory_mb: int = 512
    """What the engine of reports may take of memory; beyond it, it works on disk."""
    analytics_looks_days: Annotated[int, msgspec.Meta(ge=2, le=36_500)] = 400
    """For how many days reports know what visitors looked at and searched for. What was sold is kept."""

    # Mail
    mail_from: str = "shop@mercat.example"
    """Whom mails are from."""
    smtp_url: str = ""
    """`smtp://[user:password@]host[:port]` (STARTTLS where offered) or `smtps://…`. Empty: mail stays in the
    mailbox at `/dev/mail`."""

    review_request_days: float = 3
    """Days after delivery in which a buyer is asked for reviews; with `--demo` at once."""
    alert_delay_s: float = 10
    """How long a better price, or what is there again, has to last before those are told who have it on a
    list."""
    gather_letters_s: float = 10
    """Orders to pack that come within this time are one letter to their seller; letters that cannot be
    delivered one to the operators."""

    # Webhooks
    webhook_networks: str = ""
    """Private networks that sellers' webhooks may reach, between spaces, as in `10.1.0.0/16`. Empty: none,
    and not this machine either."""

    # Pictures
    fetch_pictures: bool = True
    """Whether pictures that imports bring are fetched into the shop in the background."""
    media_s3_url: str = ""
    """Where pictures lie instead of the shop's folder: a bucket that speaks S3, as in
    `https://s3.example/bucket` or with a folder after it. Who moves copies the files of `media/` there, each
    by its name alone."""
    media_s3_region: str = "us-east-1"
    """The bucket's region."""
    media_s3_access_key: str = ""
    """The name of the key that may read and write the bucket."""
    media_s3_secret_key: Secret = Secret()
    """That key."""
    picture_networks: str = ""
    """Private networks that pictures of imports may be fetched from, between spaces. Empty: none, and not
    this machine either."""

    # Backups
    backup_s3_endpoint: str = ""
    """Where the bucket of `mercat backup s3://BUCKET/FOLDER` is, as in `https://s3.example`. Empty: at
    Amazon, in the region."""
    backup_s3_region: str = "us-east-1"
    """That bucket's region."""
    backup_s3_access_key: str = ""
    """The name of the key that may list, read and write that bucket."""
    backup_s3_secret_key: Secret = Secret()
    """That key."""

    variables: dict[str, Secret] = {}
    """Every other `MERCAT_<NAME>`, by its name in small letters: for parts with settings of their own."""

    def database(self) -> dict[str, Any]:
        """Return what `asyncpg.connect` needs beside a role and its password."""
        where = {"host": self.postgres_host, "port": self.postgres_port, "database": self.postgres_database}
        return where | self._encryption()

    def _encryption(self) -> dict[str, Any]:
        """Return what makes `asyncpg.connect` encrypt; nothing where that is off."""
        return encryption(self.postgres_tls, self.postgres_tls_root)

    def owner(self) -> dict[str, Any]:
        """Return what `asyncpg.connect` needs to be the owner of the database."""
        password = self.postgres_owner_password.reveal() or self.secret(self.postgres_owner)
        return {**self.database(), "user": self.postgres_owner, "password": password}

    def id_database(self) -> dict[str, Any]:
        """Return the same of the database where numbers of workers are leased."""
        if not self.ids_url:
            return self.database()
        try:
            parts = urlsplit(self.ids_url)
            port = parts.port or 5432
        except ValueError:
            parts, port = urlsplit(""), 0
        if parts.scheme not in ("postgresql", "postgres") or not parts.hostname:
            raise WrongSetting("MERCAT_IDS_URL is no address of a database, postgresql://host:port/database.")
        where = {"host": parts.hostname, "port": port, "database": parts.path.strip("/") or "mercat"}
        return where | self._encryption()

    def replication(self) -> dict[str, Any]:
        """Return what psycopg2's replication connection needs."""
        return libpq_encryption(self.postgres_tls, self.postgres_tls_root) | {
            "host": self.postgres_host,
            "port": self.postgres_port,
            "dbname": self.postgres_database,
            "user": "mercat_events",
            "password": self.secret("mercat_events"),
        }

    def shards(self) -> list[ShardPlace]:
        """Return the databases of orders, the shop's own first; none where that has all of them."""
        try:
            return read_places(self.orders_shards)
        except WrongPlaces as wrong:
            raise WrongSetting(f"MERCAT_ORDERS_SHARDS cannot be that: {wrong}.") from None

    def replicas(self) -> list[ShardPlace]:
        """Return the databases that follow the shop's own, from which products are read."""
        urls = [each.strip() for each in self.catalog_replicas.split(",") if each.strip()]
        try:
            return [
                ShardPlace(f"replica {n}", (), *address_of("the address of a replica", url))
                for n, url in enumerate(urls, 1)
            ]
        except WrongPlaces as wrong:
            raise WrongSetting(f"MERCAT_CATALOG_REPLICAS cannot be that: {wrong}.") from None

    def at(self, place: ShardPlace) -> "Settings":
        """Return the settings of who works on another database."""
        if not place.host:
            return self
        where = {"postgres_host": place.host, "postgres_port": place.port}
        return msgspec.structs.replace(self, **where, postgres_database=place.database)

    def kafka(self) -> dict[str, Any]:
        """Return what a client of Kafka needs to connect."""
        scheme, _, place = self.kafka_url.partition("://")
        who, _, brokers = place.rstrip("/").rpartition("@")
        if scheme not in ("kafka", "kafkas") or not brokers or "/" in brokers:
            raise WrongSetting("MERCAT_KAFKA_URL is no address of brokers, kafka[s]://host:port,host:port.")
        told: dict[str, Any] = {"bootstrap.servers": brokers}
        if self.kafka_tls_root:
            told["ssl.ca.location"] = self.kafka_tls_root
        if who:
            user, _, password = who.partition(":")
            told |= {"sasl.username": unquote(user), "sasl.password": unquote(password)}
            told["sasl.mechanisms"] = "SCRAM-SHA-512"
        protocol = ("sasl_" if who else "") + ("ssl" if scheme == "kafkas" else "plaintext")
        return told | {"security.protocol": protocol}

    def secret(self, name: str) -> str:
        """Derive a password or key for a name from the one secret (HMAC-SHA-256), as 64 hexadecimal
        digits."""
        return hmac.new(self.secret_key.encode(), name.encode(), sha256).hexdigest()

    def key(self, name: str) -> bytes:
        """Derive a key for a name, as 32 bytes."""
        return bytes.fromhex(self.secret(name))

    def link(self, path: str) -> str:
        """Return the address of a page as people outside reach it."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/") + path

    def origin(self) -> str:
        """Return the beginning of every absolute address; empty where it is the host that was asked."""
        return self.public_url.rstrip("/")

    def allowed_hosts(self) -> frozenset[str]:
        """Return the host names that are answered, in lower case; empty where any is."""
        if self.hosts:
            return frozenset(self.hosts.lower().replace(",", " ").split())
        name = urlsplit(self.public_url).hostname
        return frozenset({name, self.host.lower(), "localhost", "127.0.0.1", "::1"}) if name else frozenset()

    @property
    def has_default_secret(self) -> bool:
        """Whether nobody has set the secret, so that everybody knows it."""
        return self.secret_key == Settings().secret_key

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the shop."""
        return {self.host, *self.allowed_hosts()} <= _LOOPBACK

    def part(self, kind: type[Part]) -> Part:
        """Read the settings that a part declares for itself; WrongSetting names one with a wrong value."""
        return _read(kind, {name: value.reveal() for name, value in self.variables.items()})

    def only(self) -> frozenset[str]:
        """Return the services of this process; empty where it has all of them."""
        return named(self.services)

    def address_of(self, service: str) -> str | None:
        """Return the URL of a service that lives elsewhere."""
        return self.addresses.get(service)


def named(services: str) -> frozenset[str]:
    """Split a list with commas into its names."""
    return frozenset(name.strip() for name in services.split(",") if name.strip())


class WrongSetting(ValueError):
    """A variable has a value that its setting cannot have; the message names it."""


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from `MERCAT_…` variables, and from the file that `MERCAT_CONFIG` names.

    WrongSetting names one with a wrong value."""
    given: dict[str, Any] = {
        name.removeprefix("MERCAT_").lower(): value
        for name, value in environment.items()
        if name.startswith("MERCAT_")
    }
    if config := given.pop("config", ""):
        try:
            given = _over(settings_file.read(Path(config)), given)
        except settings_file.WrongFile as wrong:
            raise WrongSetting(str(wrong)) from None
    _read_files(given)
    own = {name: given.pop(name) for name in Settings.__struct_fields__ if name in given}
    addresses = {name.removesuffix("_url"): value for name, value in given.items() if name.endswith("_url")}
    settings = _read(Settings, {**own, "addresses": addresses, "variables": given})
    for proxy in settings.proxies.split():
        try:
            ip_network(proxy, strict=False)
        except ValueError as error:
            raise WrongSetting(f"MERCAT_PROXIES cannot be {settings.proxies!r}: {error}.") from None
    if problem := country_problem(settings.home_country):
        raise WrongSetting(f"MERCAT_HOME_COUNTRY cannot be {settings.home_country!r}: {problem}")
    settings.shards()  # which says what is wrong with them
    return settings


def _over(in_file: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Put variables over a file; a value over the name of a file with one, and the other way round."""
    hidden = {f"{name}_file" for name in given} | {name.removesuffix("_file") for name in given}
    return {name: value for name, value in in_file.items() if name not in hidden} | given


def _read_files(given: dict[str, Any]) -> None:
    """Read each setting that stands in a file of its own; a line end after it is not part of it."""
    for name in [name for name in given if name.endswith("_file")]:
        file = Path(given.pop(name))
        setting = name.removesuffix("_file")
        if setting in given:
            raise WrongSetting(f"MERCAT_{setting.upper()} and MERCAT_{name.upper()} are both given.")
        try:
            given[setting] = file.read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise WrongSetting(f"MERCAT_{name.upper()}: {file} cannot be read: {error}.") from None


def _read(kind: type[Part], given: Mapping[str, Any]) -> Part:
    try:
        return msgspec.convert(given, kind, strict=False, dec_hook=lambda kind, value: kind(value))
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$.")
        name = place.rstrip("`")
        value = repr(given.get(name, "")) if kind is Settings else "what it is"  # which may be a secret
        raise WrongSetting(f"MERCAT_{name.upper()} cannot be {value}: {what}.") from None
