"""The settings of a shop as one TOML file, for all processes of it: `MERCAT_CONFIG`, or `--config`.

Its top level takes every setting by its name in small letters, or, for what is secret, `<name>_file`: a file
that has the value. Sections say where engines and services are. A `MERCAT_…` variable wins over the file.
What is no setting is refused, so that nobody believes in a line that does nothing."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit


class WrongFile(ValueError):
    """The file cannot be what it is; the message says where and what to do."""


_PLAIN: dict[str, dict[str, str]] = {
    "postgres": {
        "owner": "postgres_owner",
        "owner_password_file": "postgres_owner_password_file",
        "tls": "postgres_tls",
        "tls_root": "postgres_tls_root",
    },
    "valkey": {
        "store": "store_url",
        "store_file": "store_url_file",
        "cache": "cache_url",
        "cache_file": "cache_url_file",
    },
    "log": {
        "kafka": "kafka_url",
        "kafka_file": "kafka_url_file",
        "topic": "kafka_topic",
        "back": "log_back",
        "tls_root": "kafka_tls_root",
    },
    "search": {
        "opensearch": "opensearch_url",
        "opensearch_file": "opensearch_url_file",
        "index": "opensearch_index",
        "shards": "opensearch_shards",
        "replicas": "opensearch_replicas",
    },
    "analytics": {"clickhouse": "clickhouse_url", "clickhouse_file": "clickhouse_url_file"},
    "ids": {"url": "ids_url"},
}
"""Of each section: its keys, and the settings that they are."""
_NOT_BUILT = {
    "media": "pictures in S3 are set at the top level, by media_s3_url",
}
"""Sections that a larger shop will have, and how things are without them."""


def read(path: Path) -> dict[str, str]:
    """Read a file: settings by their names in small letters, as text, as variables have them."""
    try:
        given = tomllib.loads(path.read_text())
    except OSError as error:
        raise WrongFile(f"The settings in {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongFile(f"{path} is no TOML: {error}.") from None
    try:
        return _flat(given)
    except WrongFile as wrong:
        raise WrongFile(f"{path}: {wrong}") from None


def _flat(given: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in given.items():
        if not isinstance(value, dict):
            found[name] = _text(name, value)
            continue
        section = cast(dict[str, Any], value)
        if name == "services":
            found |= {f"{service}_url": _text(f"services.{service}", url) for service, url in section.items()}
        elif name in _NOT_BUILT:
            raise WrongFile(f"[{name}] is not built: {_NOT_BUILT[name]}. Leave it out.")
        elif name == "orders":
            found |= _orders(section)
        elif name in _PLAIN:
            found |= _section(name, section)
        else:
            raise WrongFile(
                f"there is no section [{name}]. There are: services, orders, {', '.join(_PLAIN)}."
            )
    return found


def _orders(section: Mapping[str, Any]) -> dict[str, str]:
    """Write the databases of orders in one line, as a variable has them."""
    if {*section} != {"shards"} or not isinstance(section["shards"], dict):
        raise WrongFile("[orders] has [orders.shards], and nothing else.")
    told: list[str] = []
    for name, place in cast(dict[str, Any], section["shards"]).items():
        where = f"orders.shards.{name}"
        given = cast(dict[str, Any], place) if isinstance(place, dict) else {"buckets": place}
        if unknown := given.keys() - {"url", "buckets"}:
            raise WrongFile(f"{where}.{min(unknown)} is no setting. There are: url, buckets.")
        buckets = _text(where, given.get("buckets", "")).replace(" ", "") or "-"
        told.append(f"{name} {buckets} {_text(where, given.get('url', ''))}".strip())
    return {"orders_shards": "; ".join(told)}


def _section(section: str, given: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    known = _PLAIN[section]
    for key, value in given.items():
        where = f"{section}.{key}"
        if section == "postgres" and key == "main":
            found |= _database(where, _text(where, value))
        elif section == "postgres" and key == "catalog" and isinstance(value, dict):
            found |= _catalog(where, cast(dict[str, Any], value), given.get("main"))
        elif key in known:
            found[known[key]] = _ADDRESSES.get(where, _text)(where, value)
        elif section == "postgres" and not key.startswith("tls"):
            raise WrongFile(f"{where}: a service's own database is not built. All are in postgres.main.")
        else:
            raise WrongFile(f"{where} is no setting. There are: {', '.join(known)}.")
    return found


def _catalog(where: str, given: Mapping[str, Any], main: Any) -> dict[str, str]:
    """Write the addresses from which products are read; they are written to the shop's own alone."""
    if unknown := given.keys() - {"primary", "replicas"}:
        raise WrongFile(f"{where}.{min(unknown)} is no setting. There are: primary, replicas.")
    if given.get("primary", main) != main:
        raise WrongFile(f"{where}.primary: a service's own database is not built. It is postgres.main.")
    return {"catalog_replicas": _servers(f"{where}.replicas", given.get("replicas", ""))}


def _database(where: str, url: str) -> dict[str, str]:
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
    except ValueError as error:
        raise WrongFile(f"{where}: {error}.") from None
    if parts.scheme not in ("postgresql", "postgres") or not parts.hostname:
        raise WrongFile(f"{where} is no address of a database, postgresql://host:port/database.")
    if parts.username or parts.query:
        raise WrongFile(
            f"{where}: roles and passwords are derived from the secret key; an owner's own goes into "
            "postgres.owner and postgres.owner_password_file, TLS into postgres.tls."
        )
    database = parts.path.strip("/") or "mercat"
    return {"postgres_host": parts.hostname, "postgres_port": str(port), "postgres_database": database}


def _brokers(where: str, value: Any) -> str:
    """Write a list of brokers, `host:port` each, as one address."""
    if isinstance(value, list) and all(isinstance(each, str) and "/" not in each for each in value):  # pyright: ignore[reportUnknownVariableType]
        return f"kafka://{','.join(value)}" if value else ""  # pyright: ignore[reportUnknownArgumentType]
    return _text(where, value)


def _servers(where: str, value: Any) -> str:
    """Write the addresses of a cluster's servers, of which each is whole, with commas between them."""
    if not isinstance(value, list) or not value:
        return _text(where, value)
    return ",".join(_text(where, each) for each in value)  # pyright: ignore[reportUnknownVariableType]


def _text(where: str, value: Any) -> str:
    """Write a value as a variable has it; a list of one as that one."""
    if isinstance(value, list):
        if len(value) != 1:  # pyright: ignore[reportUnknownArgumentType]
            raise WrongFile(f"{where}: several are not built. Give one.")
        return _text(where, value[0])
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise WrongFile(f"{where} is neither text nor a number.")


_ADDRESSES = {
    "log.kafka": _brokers,
    "valkey.store": _servers,
    "valkey.cache": _servers,
    "search.opensearch": _servers,
}
"""What may be several addresses, and how they are written."""
