"""What must be true after a seed: the laws of the audit, and what only the simulator can know."""

from collections.abc import Collection
from typing import NamedTuple

import asyncpg

from mercat.audit import audit
from mercat.ids import OrderId

PROMISES = {
    "cancelled": "select status = 'cancelled' from orders.orders where order_id = $1",
    "shipped": "select bool_and(shipped = quantity) from orders.line where order_id = $1",
    "returned": "select bool_and(returned > 0) from orders.line where order_id = $1",
}
"""What an order must be that somebody was told so of."""
_BACK = """
select count(*) from orders.orders o
where o.order_id = any($1::bigint[]) and o.status <> 'refused' and (
    (select coalesce(sum(u), 0) from inventory.movement m, unnest(m.quantities) u
    where m.kind = 'returned' and (
        m.reference = 'cancel/' || o.order_id or m.reference in (
            select h.reference from orders.history h where h.order_id = o.order_id and h.what = 'returned')))
    <> (select sum(case when o.status = 'cancelled' then l.quantity else l.returned end)
        from orders.line l where l.order_id = o.order_id)
    or (select p.refunded from payments.payment p where p.order_id = o.order_id and p.status = 'captured')
    <> case when o.status = 'cancelled' then o.total else (
        select coalesce(sum(l.unit_price * l.returned), 0) + coalesce((
            select sum((p->>'tax')::bigint - (p->>'discount')::bigint)
            from orders.history h, jsonb_array_elements(h.detail->'parts') p
            where h.order_id = o.order_id and h.what = 'returned'), 0)
        from orders.line l where l.order_id = o.order_id) end)
"""


OVERSOLD = """
select count(*) from inventory.stock where offer_id = any($1::bigint[]) and reserved not between 0 and on_hand
"""
_TOLD = """
with told as (
    select id, kind, body::json->>'order_id' as order_id from events.log
    where id > $2 and kind in ('OrderPlaced', 'OrderCancelled')
)
select count(*) from orders.orders o where o.order_id = any($1::bigint[]) and o.status <> 'refused'
    and coalesce((select array_agg(kind order by id) from told where told.order_id = o.order_id::text), '{}')
    <> case when o.status = 'cancelled' then '{OrderPlaced,OrderCancelled}' else '{OrderPlaced}' end::text[]
"""
_SALE = """
select count(*) from flashsale.sale s
where s.sale_id = $1 and (s.taken <> s.sold or s.sold <> (
    select coalesce(sum(l.quantity), 0) from orders.line l join orders.orders o using (bucket, order_id)
    where l.offer_id = s.offer_id and o.status <> 'refused'))
"""
_FOLLOWED = """
select (select count(*) from events.parked)
    + (select count(*) from events.position p, events.relayed r where p.at <> r.last_id)
    + (select count(*) from orders.orders o
    where o.order_id = any($1::bigint[]) and o.status <> 'refused' and (
        (select count(*) from notifications.mail m
        where m.subject_id = o.order_id and m.kind = 'order_confirmed') <> 1
        or (select array_agg(s.status) from fulfilment.seller_order s where s.order_id = o.order_id)
        is distinct from array[case o.status when 'confirmed' then 'to_ship' else o.status end]))
"""

_NOTHING_LEFT = {
    "nothing is left undecided": "select count(*) from checkout.running",
    "nothing is left held": "select count(*) from inventory.reservation where state = 'held'",
    "what was begun for an order is done": "select count(*) from checkout.undoing where done_at is null",
    "every webhook is followed": "select count(*) from payments.notice where done_at is null",
    "no bank waits for who walked away": (
        "select count(*) from payments.payment where status = 'action_required'"
    ),
}


class Seen(NamedTuple):
    """What a seed saw: its orders, its sale, where the log stood before, and what people were told."""

    orders: Collection[OrderId]
    sale: str
    log_before: int
    promised: list[tuple[OrderId, str]]


async def broken_laws(reader: asyncpg.Connection, seen: Seen) -> list[str]:
    """List the laws that do not hold."""
    broken = [finding.law for finding in await audit(reader) if finding.violations]
    broken += [law for law, statement in _NOTHING_LEFT.items() if await reader.fetchval(statement)]
    orders = list(seen.orders)
    if await reader.fetchval(_BACK, orders):
        broken.append("what came back was put back and paid back, once")
    if await reader.fetchval(_TOLD, orders, seen.log_before):
        broken.append("every fact is told once, in its order")
    if await reader.fetchval(_FOLLOWED, orders):
        broken.append("followers have done once what they were told")
    if await reader.fetchval(_SALE, seen.sale):
        broken.append("a flash sale sold what was ordered, and holds nothing for nobody")
    for order_id, promise in seen.promised:
        if not await reader.fetchval(PROMISES[promise], order_id):
            broken.append(f"who was told that an order is {promise} can rely on it")
    return broken
