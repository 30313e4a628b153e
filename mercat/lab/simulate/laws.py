"""What must be true after a seed: the laws of the audit, and what only the simulator can know."""

from collections.abc import Collection
from typing import NamedTuple

import asyncpg

from mercat.audit import audit
from mercat.ids import OrderId, ReturnId

_OF = "from orders.line where order_id = $1 and $2::bigint in (0, seller_id)"
PROMISES = {
    "cancelled": f"select bool_and(cancelled = quantity) {_OF}",
    "units cancelled": f"select bool_or(cancelled > 0) {_OF}",
    "shipped": f"select bool_and(shipped + cancelled = quantity) {_OF}",
    "returned": (
        "select bool_or(received_at is not null and ended_at is not null) from returns.return "
        "where order_id = $1 and $2::bigint in (0, seller_id)"
    ),
    "refunded": "select count(*) > $2::bigint from orders.history where order_id = $1 and what = 'refunded'",
}
"""What an order, or one seller's part of it, must be that somebody was told so of."""
TOLD_OF_RETURNS = {
    "asked": "true",
    "approved": "approved_at is not null",
    "refused": "status = 'refused'",
    "withdrawn": "status = 'closed' and decided_by = 'shopper'",
    "sent": "sent_at is not null",
    "received": "status in ('refunded', 'closed') and received_at is not null",
}
"""What a return must be, or have been, that somebody was told so of."""
_BACK = """
select count(*) from orders.orders o
where o.order_id = any($1::bigint[]) and o.status <> 'refused' and (
    (select coalesce(sum(u), 0) from inventory.movement m, unnest(m.quantities) u
    where m.kind = 'returned' and m.reference in (
        select h.reference from orders.history h where h.order_id = o.order_id and h.what = 'cancelled'
        union all
        select 'return/' || r.return_id from returns.return r where r.order_id = o.order_id))
    <> (select sum(l.cancelled) from orders.line l where l.order_id = o.order_id)
        + (select coalesce(sum(l.sellable), 0) from returns.line l join returns.return r using (return_id)
            where r.order_id = o.order_id)
    or (select p.refunded from payments.payment p where p.order_id = o.order_id and p.status = 'captured')
    <> (select coalesce(sum((p->>'price')::bigint - (p->>'discount')::bigint + (p->>'tax')::bigint
            + (p->>'shipping')::bigint), 0)
        from orders.history h, jsonb_array_elements(h.detail->'parts') p
        where h.order_id = o.order_id and h.what in ('cancelled', 'returned', 'refunded')))
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
        or exists (
            select from fulfilment.seller_order s
            full join (
                select seller_id, case when sum(cancelled) = sum(quantity) then 'cancelled'
                    when sum(delivered + cancelled) = sum(quantity) then 'delivered'
                    when sum(shipped + cancelled) = sum(quantity) then 'shipped'
                    when sum(shipped) > 0 then 'partially_shipped' else 'to_ship' end as status
                from orders.line l where l.order_id = o.order_id group by 1
            ) part on part.seller_id = s.seller_id
            where coalesce(s.order_id, o.order_id) = o.order_id and s.status is distinct from part.status)))
"""

_PAPERS = """
select (select count(*) from (
        select distinct o.order_id, l.seller_id
        from orders.orders o join orders.line l using (bucket, order_id)
        where o.order_id = any($1::bigint[]) and o.status <> 'refused'
    ) part where (select count(*) from invoices.paper i
        where i.order_id = part.order_id and i.seller_id = part.seller_id and i.kind = 'invoice') <> 1)
    + (select count(*) from payments.refund r join payments.payment p using (payment_id)
    join orders.orders o using (order_id)
    where o.order_id = any($1::bigint[]) and o.status <> 'refused' and r.status = 'done'
        and r.amount is distinct from (select sum(c.price - c.discount + c.tax + c.shipping)
            from invoices.paper c where c.refund_id = r.refund_id))
"""
_KEYS = """
select count(*) from (
    select from orders.history h where h.order_id = any($1::bigint[]) and h.what = 'refunded'
    group by h.order_id, h.who having count(*) > 1
) twice
"""
"""Each party asks for one refund of an order, by one key."""
_NOTHING_LEFT = {
    "nothing is left undecided": "select count(*) from checkout.running",
    "nothing is left held": "select count(*) from inventory.reservation where state = 'held'",
    "nothing of a gift card is left held": "select count(*) from payments.tender where state = 'held'",
    "what was begun for an order is done": "select count(*) from checkout.undoing where done_at is null",
    "no return is left between two states": "select count(*) from returns.return where status = 'received'",
    "every webhook is followed": "select count(*) from payments.notice where done_at is null",
    "no bank waits for who walked away": (
        "select count(*) from payments.payment where status = 'action_required'"
    ),
}


class Promise(NamedTuple):
    """What somebody was told of an order; with a seller, of their part of it."""

    order_id: OrderId
    what: str
    seller_id: int = 0


class Seen(NamedTuple):
    """What a seed saw: its orders, its sale, where the log stood before, and what people were told."""

    orders: Collection[OrderId]
    sale: str
    log_before: int
    promised: list["Promise"]
    told_of_returns: list[tuple[ReturnId, str]]


async def broken_laws(reader: asyncpg.Connection, seen: Seen) -> list[str]:
    """List the laws that do not hold."""
    broken = [finding.law for finding in await audit(reader) if finding.violations]
    broken += [law for law, statement in _NOTHING_LEFT.items() if await reader.fetchval(statement)]
    orders = list(seen.orders)
    if await reader.fetchval(_BACK, orders):
        broken.append("what came back was put back and paid back, once")
    if await reader.fetchval(_KEYS, orders):
        broken.append("a key is one refund, however often it comes")
    if await reader.fetchval(_TOLD, orders, seen.log_before):
        broken.append("every fact is told once, in its order")
    if await reader.fetchval(_FOLLOWED, orders):
        broken.append("followers have done once what they were told")
    if await reader.fetchval(_PAPERS, orders):
        broken.append("a part has one invoice, and a refund its credit notes")
    if await reader.fetchval(_SALE, seen.sale):
        broken.append("a flash sale sold what was ordered, and holds nothing for nobody")
    for promise in seen.promised:
        if not await reader.fetchval(PROMISES[promise.what], promise.order_id, promise.seller_id):
            broken.append(f"who was told that an order is {promise.what} can rely on it")
    for return_id, what in seen.told_of_returns:
        told = f"select {TOLD_OF_RETURNS[what]} from returns.return where return_id = $1"
        if not await reader.fetchval(told, return_id):
            broken.append(f"who was told that a return is {what} can rely on it")
    return broken
