-- name: begin_many(checkout_ids, user_ids, keys, fingerprints, cart_ids, records, begun_ats, passes, lease)
-- Those that begin; the others have the key or the cart of another checkout.
with fresh as (
    insert into checkout.checkout (checkout_id, user_id, key, fingerprint, cart_id, record, begun_at, pass)
    select c, u, k, f, t, r::json, b, p
    from unnest(:checkout_ids::bigint[], :user_ids::bigint[], :keys::text[], :fingerprints::bytea[], :cart_ids::bigint[],
        :records::text[], :begun_ats::timestamptz[], :passes::text[])
        as a (c, u, k, f, t, r, b, p)
    order by c
    on conflict do nothing
    returning checkout_id, begun_at
)
insert into checkout.running (checkout_id, lease_until, begun_at)
select checkout_id, begun_at + :lease::interval, begun_at from fresh
returning checkout_id;

-- name: by_key(user_id, key)
select c.checkout_id, c.fingerprint, c.record::text, a.status, a.body, a.confirmed, a.refusal::text,
    r.fence, r.direction, r.reason::text
from checkout.checkout c
left join checkout.answer a on a.checkout_id = c.checkout_id
left join checkout.running r on r.checkout_id = c.checkout_id
where c.user_id = :user_id and c.key = :key;

-- name: of_cart(cart_id)
select c.checkout_id, c.fingerprint, c.record::text, a.status, a.body, a.confirmed, a.refusal::text,
    r.fence, r.waits_until is not null and r.direction is null as waits
from checkout.checkout c
left join checkout.answer a on a.checkout_id = c.checkout_id
left join checkout.running r on r.checkout_id = c.checkout_id
where c.cart_id = :cart_id;

-- name: waiting_of(user_id)
-- What waits for its shopper to act.
select c.key, c.record::text from checkout.checkout c join checkout.running r on r.checkout_id = c.checkout_id
where c.user_id = :user_id and r.waits_until is not null and r.direction is null order by c.checkout_id;

-- name: adopt(guest_id, user_id)
-- A guest's purchases answer to the member; a key that the member has used stays theirs.
with guests as materialized (
    select c.checkout_id from checkout.checkout c where c.user_id = :guest_id and not exists (
        select from checkout.checkout own where own.user_id = :user_id and own.key = c.key)
    order by c.checkout_id for update
)
update checkout.checkout c set user_id = :user_id from guests g where c.checkout_id = g.checkout_id;

-- name: take_over(checkout_id, now, lease, fence)
-- The lease of one checkout, if it is free: nobody works on it, or it waits for the shopper.
update checkout.running set fence = fence + 1, lease_until = :now::timestamptz + :lease::interval, tries = tries + 1
where checkout_id = :checkout_id and fence = :fence and (lease_until < :now or waits_until is not null)
returning fence, direction, reason::text, begun_at;

-- name: take_over_lapsed(now, lease, batch_max)
-- Checkouts that nobody works on any more: a crash left them, or their shopper walked away.
update checkout.running r set fence = r.fence + 1, lease_until = :now::timestamptz + :lease::interval, tries = r.tries + 1
from (
    select checkout_id from checkout.running
    where lease_until < :now and coalesce(waits_until, '-infinity') < :now and parked is null
    order by checkout_id limit :batch_max for update skip locked
) lapsed
join checkout.checkout c on c.checkout_id = lapsed.checkout_id
where r.checkout_id = lapsed.checkout_id
returning r.checkout_id, r.fence, r.direction, r.reason::text, r.waits_until, r.begun_at, r.tries, c.record::text,
    c.user_id, c.key;

-- name: decide_many(checkout_ids, fences, directions, reasons)
-- The direction, once, by whoever holds the fence.
update checkout.running r set direction = a.direction, reason = a.reason::json
from unnest(:checkout_ids::bigint[], :fences::int[], :directions::text[], :reasons::text[]) as a (checkout_id, fence, direction, reason)
where r.checkout_id = a.checkout_id and r.fence = a.fence and coalesce(r.direction, a.direction) = a.direction
returning r.checkout_id, r.fence;

-- name: turn_back(checkout_id, fence, reason, order_id, user_id, email, total, currency)
-- Forward becomes undo only where the order was refused for good first; its shopper is told.
with turned as (
    update checkout.running set direction = 'undo', reason = :reason::json
    where checkout_id = :checkout_id and fence = :fence
    returning checkout_id, old.direction as before
)
select checkout_id, case when before is distinct from 'undo' then events.tell('OrderNotPlaced', jsonb_build_object(
    'event', 'OrderNotPlaced', 'order_id', :order_id::bigint, 'checkout_id', checkout_id, 'user_id', :user_id::bigint,
    'email', :email::text, 'total', :total::bigint, 'currency', :currency::text)) end as told
from turned;

-- name: wait(checkout_id, fence, until, now)
-- It waits for the shopper: no lease, and an end.
update checkout.running set waits_until = coalesce(waits_until, :until), lease_until = :now
where checkout_id = :checkout_id and fence = :fence
returning checkout_id;

-- name: finish_many(checkout_ids, fences, statuses, bodies, refusals, ats)
-- The final answer, by whoever holds the fence; a refusal gives the cart back. Who walked away from their bank's page
-- is told, for nobody is there to read the answer.
with asked as materialized (
    select * from unnest(:checkout_ids::bigint[], :fences::int[], :statuses::smallint[], :bodies::bytea[],
        :refusals::text[], :ats::timestamptz[]) as a (checkout_id, fence, status, body, refusal, at)
), locked as materialized (
    select r.checkout_id from checkout.running r
    where r.checkout_id = any(:checkout_ids::bigint[]) order by r.checkout_id for update
), ended as (
    delete from checkout.running r using asked a
    where r.checkout_id = a.checkout_id and r.fence = a.fence and (select count(*) from locked) >= 0
    returning a.checkout_id, r.fence, a.status, a.body, a.refusal, a.at
), freed as (
    update checkout.checkout set cart_id = null, pass = null
    where checkout_id = any (array(select checkout_id from ended where refusal is not null))
), stored as (
    insert into checkout.answer (checkout_id, status, body, refusal, at)
    select checkout_id, status, body, refusal::json, at from ended
), told as (
    select events.tell('PaymentNotConfirmed', jsonb_build_object('event', 'PaymentNotConfirmed',
        'checkout_id', c.checkout_id, 'user_id', c.user_id, 'email', c.record -> 'order' -> 'email',
        'total', c.record -> 'order' -> 'total', 'currency', c.record -> 'order' -> 'currency'))
    from ended e join checkout.checkout c using (checkout_id)
    where e.refusal::json -> 'facts' ->> 'reason' = 'not_confirmed'
)
select checkout_id, fence, (select count(*) from told) as told from ended;

-- name: answer(checkout_id)
select c.record::text, a.status, a.body, a.confirmed, a.refusal::text
from checkout.answer a join checkout.checkout c using (checkout_id)
where a.checkout_id = :checkout_id;

-- name: outcomes(checkout_ids)
select c.checkout_id, case when c.key = '' then 'never' when a.confirmed then 'bought'
    when a.checkout_id is not null then 'refused' else 'running' end as outcome
from checkout.checkout c left join checkout.answer a on a.checkout_id = c.checkout_id
where c.checkout_id = any(:checkout_ids::bigint[]);

-- name: never_begin(checkout_ids, now, status, body, refusal)
-- A tombstone where nothing has begun: whoever comes late finds the id taken. Nobody else has a key without letters.
with gone as (
    insert into checkout.checkout (checkout_id, user_id, key, fingerprint, record, begun_at)
    select c, c, '', '', '{}', :now from unnest(:checkout_ids::bigint[]) c order by c
    on conflict do nothing
    returning checkout_id
)
insert into checkout.answer (checkout_id, status, body, refusal, at)
select checkout_id, :status::smallint, :body::bytea, :refusal::text::json, :now from gone;

-- name: health(after_id, overdue_before)
-- How the purchases did that began after an id (ids carry their time): those we failed, the slow ones, and those
-- that have been running for too long.
select count(*) as answers, count(*) filter (where unavailable) as failed,
    coalesce(percentile_cont(0.99) within group (order by took), 0)::float8 as p99_s,
    (select count(*) from checkout.running where begun_at < :overdue_before and waits_until is null and parked is null) as overdue
from (
    select extract(epoch from a.at - c.begun_at) as took,
        a.refusal ->> 'code' = 'payment_unavailable' as unavailable
    from checkout.checkout c join checkout.answer a using (checkout_id)
    where c.checkout_id > :after_id order by c.checkout_id desc limit 2000
) lately;

-- name: by_id(checkout_id)
select c.checkout_id, c.fingerprint, c.record::text, a.status, a.body, a.confirmed, a.refusal::text,
    r.fence, r.direction, r.reason::text
from checkout.checkout c
left join checkout.answer a on a.checkout_id = c.checkout_id
left join checkout.running r on r.checkout_id = c.checkout_id
where c.checkout_id = :checkout_id;

-- name: park(checkout_id, fence, reason)
update checkout.running set parked = :reason where checkout_id = :checkout_id and fence = :fence;

-- name: prune(before_id)
-- Refused purchases are kept for a day, then forgotten together with their keys; orders keep theirs.
with old as (
    select c.checkout_id from checkout.checkout c
    join checkout.answer a on a.checkout_id = c.checkout_id and not a.confirmed
    where c.checkout_id < :before_id limit 5000
), answers as (
    delete from checkout.answer where checkout_id in (select checkout_id from old)
)
delete from checkout.checkout where checkout_id in (select checkout_id from old)
returning checkout_id;

-- name: undoing_begin(reference, order_id, record, lease_until, anew)
-- Begun, or joined: what stands there is what is carried out, unless it was closed and is begun anew.
insert into checkout.undoing as u (reference, order_id, record, lease_until)
values (:reference, :order_id, :record::json, :lease_until)
on conflict (reference) do update set turn = u.turn + 1, done_at = null, lease_until = excluded.lease_until,
    parked = case when u.done_at is null then u.parked end, tries = case when u.done_at is null then u.tries else 0 end,
    record = case when u.done_at is not null and :anew::bool then excluded.record else u.record end
returning turn, record::text, old.reference is null or old.done_at is not null as alone;

-- name: undoing_record(reference)
select record::text from checkout.undoing where reference = :reference;

-- name: undoing_done(reference, turn, now)
update checkout.undoing set done_at = :now where reference = :reference and turn = :turn and done_at is null;

-- name: undoing_lapsed(now, lease)
update checkout.undoing u set lease_until = :now::timestamptz + :lease::interval, tries = tries + 1,
    turn = turn + 1
from (
    select reference from checkout.undoing where done_at is null and parked is null and lease_until < :now
    order by reference limit 50 for update skip locked
) lapsed
where u.reference = lapsed.reference
returning u.reference, u.record::text, u.tries, u.turn;

-- name: undoing_park(reference, reason)
update checkout.undoing set parked = :reason where reference = :reference and done_at is null;

-- name: undoing_unpark(reference, now)
update checkout.undoing set parked = null, tries = 0, lease_until = :now where reference = :reference and parked is not null;

-- name: unpark(checkout_id, now)
update checkout.running set parked = null, tries = 0, lease_until = :now where checkout_id = :checkout_id and parked is not null;

-- name: parked(kind, sort, way, after_key, after, rows_max)
-- What recovery has given up. The page before may have been taken up since, so its last key comes along.
with work as (
    select 'buy/' || r.checkout_id as reference, null::bigint as order_id, c.record->'order'->'order_id' as text,
        r.parked as reason, r.tries, coalesce(r.direction, '') as direction, r.begun_at as since
    from checkout.running r join checkout.checkout c using (checkout_id) where r.parked is not null
    union all
    select reference, order_id, null, parked, tries, 'forward', begun_at
    from checkout.undoing where parked is not null and done_at is null
), sorted as (
    select w.*, case when reference like '%return/%' then 'return' else split_part(reference, '/', 1) end as kind,
        :way * case :sort::text when 'tries' then tries else (extract(epoch from since) * 1000000)::bigint end as key
    from work w
)
select reference, order_id, text, reason, tries, direction, since, kind, key from sorted
where (:kind::text is null or kind = :kind)
    and (:after_key::bigint is null or (key, reference) > (:after_key, :after::text))
order by key, reference limit :rows_max;

-- name: parked_counts
select kind, count(*)::int as parked from (
    select 'buy' as kind from checkout.running where parked is not null
    union all
    select case when reference like '%return/%' then 'return' else split_part(reference, '/', 1) end
    from checkout.undoing where parked is not null and done_at is null
) work group by kind;

-- name: forget(user_ids, checkout_ids)
-- All that these people bought but what still runs, and these.
with due as (
    select c.checkout_id from checkout.checkout c
    where c.user_id = any (:user_ids::bigint[])
        and not exists (select from checkout.running r where r.checkout_id = c.checkout_id)
    union
    select unnest(:checkout_ids::bigint[])
)
update checkout.checkout c
set record = jsonb_set(jsonb_set(jsonb_set(jsonb_set(c.record::jsonb, '{order,email}', '""'), '{order,address}', '{}'),
    '{order,gift_cards}', 'null'), '{order,parts}', (
        select coalesce(jsonb_agg(part - '{pickup_name,pickup_address}'::text[] order by n), '[]')
        from jsonb_array_elements(c.record::jsonb #> '{order,parts}') with ordinality as each (part, n)), false)
from due where c.checkout_id = due.checkout_id;

-- name: take_limited(checkout_ids, order_ids, persons, offer_ids, quantities, limits)
-- Those within their limit; a purchase that was counted before stays so, and one that was given back is not counted: a
-- tombstone that is laid at this moment fails the whole. A person and an offer stand once in a set.
with asked as materialized (
    select a.*, u.checkout_id is not null as seen, u.checkout_id is not null and not u.given_back as known
    from unnest(:checkout_ids::bigint[], :order_ids::bigint[], :persons::bytea[], :offer_ids::bigint[], :quantities::int[],
        :limits::int[]) as a (checkout_id, order_id, person, offer_id, quantity, most)
    left join checkout.customer_units u on u.checkout_id = a.checkout_id and u.offer_id = a.offer_id
), counted as (
    insert into checkout.customer as c (person, offer_id, units, most)
    select person, offer_id, quantity, most from asked where not seen and quantity <= most order by person, offer_id
    on conflict (person, offer_id) do update set units = c.units + excluded.units, most = excluded.most
        where c.units + excluded.units <= excluded.most
    returning person, offer_id
), noted as (
    insert into checkout.customer_units (checkout_id, offer_id, order_id, person, units)
    select a.checkout_id, a.offer_id, a.order_id, a.person, a.quantity
    from asked a join counted c on c.person = a.person and c.offer_id = a.offer_id where not a.seen
)
select a.checkout_id, a.offer_id from asked a
where a.known or exists (select from counted c where c.person = a.person and c.offer_id = a.offer_id);

-- name: give_back_limited(checkout_ids, order_ids, offer_ids)
-- Purchases that are undone count no more; a tombstone of nobody stands in the place of what was counted, or may be.
with gone as (
    insert into checkout.customer_units (checkout_id, offer_id, order_id, person, units, given_back)
    select c, f, o, '', 0, true
    from unnest(:checkout_ids::bigint[], :order_ids::bigint[], :offer_ids::bigint[]) as a (c, o, f) order by c, f
    on conflict (checkout_id, offer_id) do update set units = 0, given_back = true, person = ''
    returning coalesce(old.person, '') as person, new.offer_id, coalesce(old.units, 0) as units
), locked as materialized (
    select person, offer_id from checkout.customer
    where (person, offer_id) in (select person, offer_id from gone) order by person, offer_id for update
)
update checkout.customer c set units = c.units - g.units
from (select person, offer_id, sum(units) as units from gone group by person, offer_id) g
where c.person = g.person and c.offer_id = g.offer_id and (select count(*) from locked) >= 0;

-- name: cancelled_limited(order_ids, offer_ids, quantities)
-- Units that were cancelled count no more.
with cancelled as (
    select order_id, offer_id, sum(quantity)::int as quantity
    from unnest(:order_ids::bigint[], :offer_ids::bigint[], :quantities::int[]) as a (order_id, offer_id, quantity)
    group by order_id, offer_id
), fewer as (
    update checkout.customer_units u set units = greatest(u.units - c.quantity, 0)
    from cancelled c where u.order_id = c.order_id and u.offer_id = c.offer_id
    returning u.person, u.offer_id, old.units - new.units as units
), locked as materialized (
    select person, offer_id from checkout.customer
    where (person, offer_id) in (select person, offer_id from fewer) order by person, offer_id for update
)
update checkout.customer c set units = c.units - f.units
from (select person, offer_id, sum(units) as units from fewer group by person, offer_id) f
where c.person = f.person and c.offer_id = f.offer_id and (select count(*) from locked) >= 0;

-- name: forget_limited(persons, user_ids)
-- What somebody bought of what is limited is not kept beyond the person: under their e-mail, and under those of their
-- purchases.
with known as materialized (
    select unnest(:persons::bytea[]) as person
    union
    select u.person from checkout.customer_units u join checkout.checkout c using (checkout_id)
    where c.user_id = any (:user_ids::bigint[])
), gone as (
    delete from checkout.customer_units where person in (select person from known)
)
delete from checkout.customer where person in (select person from known);

-- name: forget_limited_orders(checkout_ids)
with gone as (
    delete from checkout.customer_units where checkout_id = any (:checkout_ids::bigint[]) returning person, offer_id
)
delete from checkout.customer c using gone
where c.person = gone.person and c.offer_id = gone.offer_id and not exists (
    select from checkout.customer_units u where u.person = c.person and u.offer_id = c.offer_id
        and u.checkout_id <> all (:checkout_ids::bigint[]));

-- name: limited_units(person, offer_ids)
select offer_id, units from checkout.customer where person = :person and offer_id = any(:offer_ids::bigint[]);
