"""What `mercat check --config` says of a Valkey, or of a cluster of several."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from mercat.cli.checking import Check
from mercat.kit.refusals import Unavailable
from mercat.kit.valkey import ValkeyServer
from mercat.kit.valkey_cluster import SLOTS, ValkeyCluster, View, addresses_in, view_of

_ANSWERS_WITHIN_S = 5.0
_PRIMARIES = 3
"""So many elect a new one among them when one dies; two do not."""


async def of_valkey(what: str, addresses: str, *, keeps: bool) -> AsyncIterator[Check]:
    """Look at a store or a cache; one that `keeps` must not lose what is in it."""
    urls = addresses_in(addresses)
    if len(urls) > 1:
        async for each in _of_cluster(what, urls, keeps=keeps):
            yield each
        return
    server = ValkeyServer(urls[0])
    try:
        about = await _about(server)
    finally:
        await server.close()
    if about.get("cluster_enabled"):
        said = "It is a cluster, and one address is a single server."
        yield Check(what, "wrong", said, "Give the addresses of several of its servers.")
    elif about.get("role") != "master":
        said = f"It is a {about.get('role')}, which takes no writes."
        yield Check(what, "wrong", said, "Name its primary.")
    elif keeps and not _keeps(about):
        yield _forgets(what, "It")
    else:
        yield Check(what, "fine", f"Valkey {_version(about)}, as it should be.")


async def _of_cluster(what: str, urls: list[str], *, keeps: bool) -> AsyncIterator[Check]:
    """Ask each address how it sees the cluster, and each primary how it keeps what it has."""
    named = [ValkeyServer(url) for url in urls]
    views = await asyncio.gather(*map(view_of, named), return_exceptions=True)
    await asyncio.gather(*(each.close() for each in named))
    seen = [view for view in views if isinstance(view, View)]
    if not seen:
        raise Unavailable from next(_causes(views), None)
    if len(seen) < len(urls):
        said = f"{len(urls) - len(seen)} of {len(urls)} addresses do not answer as a cluster."
        yield Check(what, "look", said, "See that they run with cluster-enabled yes, or name others.")
    for each in _of_view(what, max(seen, key=lambda view: (view.whole, view.epoch))):
        yield each
    cluster = ValkeyCluster(urls)
    try:
        primaries = await cluster.servers()
        told = await asyncio.gather(*map(_about, primaries), return_exceptions=True)
    finally:
        await cluster.close()
    abouts = [about for about in told if not isinstance(about, BaseException)]
    if missing := len(primaries) - len(abouts):
        said = f"{missing} of {len(primaries)} primaries do not answer: what they have is away."
        yield Check(what, "wrong", said, "See that they run, and that this machine reaches them.")
    if keeps and not all(map(_keeps, abouts)):
        yield _forgets(what, "One of its primaries")
    elif abouts:
        versions = sorted({_version(about) for about in abouts})
        said = f"Valkey {', '.join(versions)}, a cluster with {len(primaries)} primaries."
        yield Check(what, "fine", said)


def _of_view(what: str, view: View) -> Iterator[Check]:
    """See that each slot is somewhere, and that each server that has some can be replaced by another."""
    holding = [shard for shard in view.shards if shard.slots and shard.primary()]
    slots = sum(last + 1 - first for shard in holding for first, last in shard.slots)
    if slots < SLOTS:
        said = f"{SLOTS - slots} of {SLOTS} slots are on no server: what belongs there cannot be kept."
        yield Check(what, "wrong", said, "valkey-cli --cluster fix HOST:PORT")
    elif not view.whole:
        said = f"Its state is {view.info['cluster_state']}: it takes no writes."
        yield Check(what, "wrong", said, "valkey-cli --cluster check HOST:PORT")
    if len(holding) < _PRIMARIES:
        said = f"{len(holding)} of its servers have slots: when one dies, the others do not replace it."
        yield Check(what, "look", said, f"Share the slots out among {_PRIMARIES} primaries or more.")
    if alone := sum(not shard.replicated() for shard in holding):
        said = f"{alone} of {len(holding)} primaries have no replica: what is there is away when one dies."
        yield Check(what, "look", said, "Give each primary a replica on another machine.")


async def _about(server: ValkeyServer) -> dict[str, Any]:
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN_S):
            client: Any = server.client  # its methods have no types
            return await client.info()
    except Exception as error:  # its client raises many kinds
        raise Unavailable from error


def _causes(views: list[View | BaseException]) -> Iterator[BaseException]:
    return (view.__cause__ or view for view in views if isinstance(view, BaseException))


def _keeps(about: dict[str, Any]) -> bool:
    return about.get("maxmemory_policy") == "noeviction" and bool(about.get("aof_enabled"))


def _forgets(what: str, who: str) -> Check:
    said = f"{who} may lose carts and sessions: it evicts, or writes no append-only file."
    return Check(what, "wrong", said, "Set appendonly yes and maxmemory-policy noeviction.")


def _version(about: dict[str, Any]) -> str:
    return about.get("valkey_version") or about.get("redis_version") or "of no version"
