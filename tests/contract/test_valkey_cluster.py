"""What a cluster of Valkeys does that one server does not have to: slots, and where they went."""

import asyncio
from contextlib import suppress

import pytest
from valkeys import ClusterNode, forget_all
from valkeys import three as three
from waiting import until

from mercat.kit.limits import Limit, Limits
from mercat.kit.refusals import Unavailable
from mercat.kit.valkey_cluster import SLOTS, ValkeyCluster, addresses_in, open_store, slot_of, tags

READ = "return redis.call('GET', KEYS[1])"
BOTH = "return {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])}"
NAMES = [f"name:{n}" for n in range(40)]


@pytest.fixture
async def store(three):
    store = open_store(three.url)
    await forget_all(store)
    yield store
    await store.close()


async def away(three, slot) -> tuple[ClusterNode, ClusterNode]:
    """Who has a slot, and somebody else."""
    owner = await three.owner(slot)
    return owner, next(node for node in three.primaries if node is not owner)


def test_several_addresses_are_a_cluster():
    assert addresses_in("valkey://:a,b@h:1, valkey://h:2,unix:///x") == [
        "valkey://:a,b@h:1",
        "valkey://h:2",
        "unix:///x",
    ]
    assert isinstance(open_store("valkey://h:1,valkey://h:2"), ValkeyCluster)
    assert not isinstance(open_store("valkey://h:1"), ValkeyCluster)


async def test_a_slot_is_what_the_servers_say(three):
    odd = [
        "cart:usr_1",
        "x:{cart:usr_1}",
        "a{}b",
        "{x}y",
        "foo{bar}{zap}",
        "foo{{bar}}zap",
        "a{b",
        "a}b{c",
        "",
    ]
    for name in odd:
        assert await three.primaries[0].ask("CLUSTER", "KEYSLOT", name) == slot_of(name), name
    assert slot_of(b"cart:usr_1") == slot_of("cart:usr_1")
    assert [slot_of(f"x:{{{tag}}}") for tag in tags()] == [*range(SLOTS)]


async def test_what_is_written_at_once_is_on_all_servers_and_read_in_its_order(store, three):
    await asyncio.gather(*(store.do("SET", name, n) for n, name in enumerate(NAMES)))
    counts = [await node.ask("DBSIZE") for node in three.primaries]
    assert sum(counts) == len(NAMES)
    assert min(counts) > 0
    read = await store.do("MGET", *NAMES, "nobody")
    assert [each and int(each) for each in read] == [*range(len(NAMES)), None]
    assert await store.do("EXISTS", *NAMES, "nobody") == len(NAMES)
    assert await store.do("DEL", *NAMES[:5], "nobody") == 5
    assert (await store.do("MGET", *NAMES))[:6] == [None] * 5 + [b"5"]
    assert await store.run_many(READ, [([name], []) for name in NAMES]) == await store.do("MGET", *NAMES)


async def test_a_server_that_lost_its_scripts_gets_them_again(store, three):
    await store.do("SET", "a", 1)
    assert await store.run(READ, ["a"], []) == b"1"
    for node in three.primaries:
        await node.ask("SCRIPT", "FLUSH")
    assert await store.run(READ, ["a"], []) == b"1"
    assert await store.run_many(READ, [(["a"], []), (["b"], [])]) == [b"1", None]


async def test_where_no_server_has_a_slot_nobody_hears_anything(tmp_path):
    node = ClusterNode(tmp_path / "alone")
    store = open_store(f"{node.url},valkey://127.0.0.1:9")
    node.start()
    try:
        await until(node.answers)
        with pytest.raises(Unavailable):
            await anext(store.subscribe("news"))
    finally:
        await store.close()
        node.kill()


async def test_a_server_that_left_is_let_go_of_and_asked_nothing(store, three):
    """Whoever still has it, as they began before, is sent on."""
    await store.do("SET", "a", 1)
    slot = slot_of("a")
    right, left = store._owners[slot], store._server("127.0.0.1", 9)
    store._owners[slot] = left
    await store._learn()
    assert left not in store._known()
    assert store._owners[slot] is right

    asked = []

    async def begun_before(server):
        asked.append(server)
        store._owners[slot] = right
        return await server.do("GET", "a")

    store._owners[slot] = left
    assert await store._at(slot, begun_before, ("GET", "a")) == b"1"
    assert asked == [left, right]


async def test_named_servers_are_known_once(store):
    await store.do("SET", "a", 1)
    assert len(store._known()) == 3


async def test_keys_of_two_slots_are_in_no_script(store):
    with pytest.raises(Unavailable) as refused:
        await store.run(BOTH, ["a", "b"], [])
    assert "CROSSSLOT" in str(refused.value.__cause__)
    assert await store.run(BOTH, ["a", store.with_slot_of("a", "b")], []) == [None, None]


async def test_a_slot_that_moved_is_found(store, three):
    slot = slot_of("a")
    owner, other = await away(three, slot)
    await store.do("SET", "a", 1)
    await store.do("DEL", "a")
    await three.give(slot, other)
    assert await store.do("SET", "a", 2)
    assert await other.ask("GET", "a") == b"2"
    assert await store.run(READ, ["a"], []) == b"2"
    await store.do("DEL", "a")
    await three.give(slot, owner)
    assert await asyncio.gather(*(store.do("INCR", "a") for _ in range(9))) == [*range(1, 10)]


async def test_who_knows_a_cluster_from_before_still_finds_everything(three):
    """The addresses are those of servers that have nothing, or are gone."""
    known = open_store(f"valkey://127.0.0.1:9,{three.primaries[2].url}")
    await asyncio.gather(*(known.do("SET", name, 1) for name in NAMES))
    assert await known.do("EXISTS", *NAMES) == len(NAMES)
    assert len(await known.servers()) == 3
    await known.close()
    nobody = open_store("valkey://127.0.0.1:9,valkey://127.0.0.1:10")
    with pytest.raises(Unavailable):
        await nobody.do("GET", "a")
    await nobody.close()


@pytest.fixture
async def moving(store, three):
    """A slot that is on its way to another server, and what brings it there."""
    slot = slot_of("a")
    owner, other = await away(three, slot)
    await store.do("MSET", "{a}1", "here", "{a}2", "here")
    await other.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", owner.number)
    await owner.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", other.number)

    async def goes(*names):
        await owner.ask("MIGRATE", "127.0.0.1", other.port, "", 0, 5_000, "KEYS", *names)

    yield goes, owner, other, slot
    with suppress(Unavailable):
        await goes("{a}1", "{a}2")
    await three.give(slot, other)


async def test_what_went_ahead_of_its_slot_is_asked_for_there(store, moving):
    goes, owner, other, slot = moving
    await goes("{a}1")
    assert await store.do("MGET", "{a}1") == [b"here"]
    assert await store.run(READ, ["{a}1"], []) == b"here"
    assert await store.do("GET", "{a}2") == b"here"
    assert await store.do("SET", "{a}3", "new")
    assert await other.ask("CLUSTER", "COUNTKEYSINSLOT", slot) == 2
    assert await owner.ask("CLUSTER", "COUNTKEYSINSLOT", slot) == 1


async def test_who_needs_keys_of_which_one_is_gone_waits_for_the_other(store, moving):
    goes, *_ = moving
    await goes("{a}1")
    read = asyncio.create_task(store.run(BOTH, ["{a}1", "{a}2"], []))
    refused = "TRYAGAIN"
    with pytest.raises(Unavailable) as away:
        await store._owners[slot_of("a")].do("MGET", "{a}1", "{a}2")
    assert refused in str(away.value.__cause__)
    assert not read.done()
    await goes("{a}2")
    assert await read == [b"here", b"here"]


async def test_parts_are_found_wherever_their_slots_are(store, moving):
    goes, *_ = moving
    users = [*NAMES, "a"]
    for name in users:
        await store.do("SADD", store.part("changed", name), name)
    wanted = {store.part("changed", name) for name in users}
    assert {*await store.find_parts("changed")} == wanted
    assert await store.find_parts("nothing") == []
    await goes(store.part("changed", "a"))
    assert {*await store.find_parts("changed")} == wanted
    assert await store.do("SMEMBERS", store.part("changed", "a")) in ([b"a"], {b"a"})


async def test_what_is_published_is_heard_whoever_is_asked(store):
    heard = []

    async def hear():
        async for said in store.subscribe("news"):
            heard.append(said)

    ears = [asyncio.create_task(hear()) for _ in range(6)]

    async def all_heard():
        await store.do("PUBLISH", "news", "something")
        return len(heard) >= 6

    await until(all_heard)
    for ear in ears:
        ear.cancel()
    await asyncio.gather(*ears, return_exceptions=True)


async def test_buckets_of_limits_are_in_several_slots_and_answered_in_their_order(store):
    limits = Limits(store)
    narrow, wide = Limit(0.001, 1), Limit(0.001, 5)
    buckets = [(name, narrow if n % 2 else wide) for n, name in enumerate(NAMES)]
    assert [each.remaining for each in await limits.take(*buckets)] == [4, 0] * 20
    assert [each.allowed for each in await limits.take(*buckets)] == [True, False] * 20
    await limits.give_back(*buckets)
    assert [each.allowed for each in await limits.take(*buckets)] == [True] * 40


async def test_the_password_of_the_first_address_is_that_of_all(three):
    guarded = ",".join([three.primaries[0].url.replace("//", "//:se%2Fcret@"), *three.url.split(",")[1:]])
    opens = [node.ask for node in three.primaries]
    for ask in opens:
        await ask("CONFIG", "SET", "requirepass", "se/cret")
    store = open_store(guarded)
    try:
        await asyncio.gather(*(store.do("SET", name, 1) for name in NAMES))
        with pytest.raises(Unavailable):
            await opens[0]("GET", NAMES[0])
    finally:
        for server in await store.servers():
            await server.do("CONFIG", "SET", "requirepass", "")
        await store.close()
