-- name: add(webhook_id, seller_id, url, events, now, once)
-- In the lowest slot that is free; none is a row that is not made. What was added under this key stands.
with standing as (
    select webhook_id from webhooks.receiver where seller_id = :seller_id::bigint and once = :once::bytea
), made as (
    insert into webhooks.receiver (webhook_id, seller_id, slot, url, events, made_at, once)
    select :webhook_id, :seller_id, min(slot), :url, :events::text[], :now, :once
    from generate_series(1, 10) slot
    where not exists (select from webhooks.receiver r where r.seller_id = :seller_id and r.slot = slot.slot)
        and not exists (select from standing)
    having min(slot) is not null
    returning webhook_id
)
select webhook_id from standing union all select webhook_id from made;

-- name: of_seller(seller_id)
select webhook_id, url, events, made_at, gone_at from webhooks.receiver where seller_id = :seller_id
order by webhook_id desc;

-- name: remove(seller_id, webhook_id)
delete from webhooks.receiver where seller_id = :seller_id and webhook_id = :webhook_id returning webhook_id;

-- name: owned(seller_id, webhook_id)
select webhook_id from webhooks.receiver where seller_id = :seller_id and webhook_id = :webhook_id;

-- name: wanted()
select seller_id, webhook_id, events from webhooks.receiver where gone_at is null;

-- name: put(delivery_ids, webhook_ids, references, subjects, events, bodies, now)
-- Of a webhook that was removed meanwhile nothing is kept.
insert into webhooks.delivery (delivery_id, webhook_id, reference, subject, event, body, made_at, due_at)
select d.delivery_id, d.webhook_id, d.reference, d.subject, d.event, d.body, :now, :now
from unnest(:delivery_ids::bigint[], :webhook_ids::bigint[], :references::text[], :subjects::bigint[], :events::text[],
    :bodies::text[]) as d (delivery_id, webhook_id, reference, subject, event, body)
join webhooks.receiver r using (webhook_id)
order by d.delivery_id
on conflict do nothing;

-- name: deliveries(seller_id, webhook_id, before, rows_max)
select d.delivery_id, d.event, d.status, d.tries as attempts, d.made_at, d.due_at, d.tried_at, d.response_status,
    d.failure
from webhooks.delivery d join webhooks.receiver r using (webhook_id)
where r.seller_id = :seller_id and d.webhook_id = :webhook_id and d.delivery_id < :before
order by d.delivery_id desc
limit :rows_max;

-- name: redeliver(seller_id, webhook_id, delivery_id, now)
-- Three days begin anew. One that is on its way already only comes sooner.
update webhooks.delivery d set status = 'pending', due_at = :now, tries = 0, failure = ''
from webhooks.receiver r
where r.webhook_id = d.webhook_id and r.seller_id = :seller_id and d.webhook_id = :webhook_id
    and d.delivery_id = :delivery_id
returning d.delivery_id;

-- name: due(now, rows_max)
select distinct webhook_id from webhooks.delivery where status = 'pending' and due_at <= :now
order by webhook_id limit :rows_max;

-- name: claim(webhook_id, now, lease_until)
-- The oldest that is due, and of whose subject nothing older waits. Whoever dies with it loses nothing: it is due
-- again when the lease is over.
update webhooks.delivery d set due_at = :lease_until, tries = tries + 1, tried_at = :now
from webhooks.receiver r
where r.webhook_id = d.webhook_id and d.delivery_id = (
    select c.delivery_id from webhooks.delivery c
    where c.webhook_id = :webhook_id and c.status = 'pending' and c.due_at <= :now and not exists (
        select from webhooks.delivery e
        where e.webhook_id = c.webhook_id and e.subject = c.subject and e.status = 'pending'
            and e.delivery_id < c.delivery_id)
    order by c.delivery_id
    for update skip locked
    limit 1
)
returning d.delivery_id, d.webhook_id, r.url, d.body, d.tries;

-- name: settle(delivery_id, tries, status, due_at, response_status, failure)
-- `tries` is the fence: one that was redelivered or claimed again meanwhile is somebody else's.
update webhooks.delivery
set status = :status, due_at = :due_at, response_status = :response_status, failure = :failure
where delivery_id = :delivery_id and tries = :tries and status = 'pending';

-- name: gone(webhook_id, now)
with receiver as (
    update webhooks.receiver set gone_at = :now where webhook_id = :webhook_id
)
update webhooks.delivery set status = 'failed', due_at = null, failure = 'The receiver says that it is gone (410).'
where webhook_id = :webhook_id and status = 'pending';

-- name: forget(before)
delete from webhooks.delivery where delivery_id in (
    select delivery_id from webhooks.delivery where delivery_id < :before and status <> 'pending'
    order by delivery_id limit 1000);
