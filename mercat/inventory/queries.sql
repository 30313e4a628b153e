-- name: look(offer_ids)
-- What the asked offers have, where, and at which version. Decides nothing by itself.
select offer_id, location_id, on_hand - reserved - safety as available, version
from inventory.stock where offer_id = any(:offer_ids::bigint[]);

-- name: stock(offer_ids)
select offer_id, sum(on_hand)::int as on_hand, sum(reserved)::int as reserved,
    greatest(sum(on_hand - reserved - safety), 0)::int as available, sum(version)::int as version, max(low_mark) as low_mark
from inventory.stock where offer_id = any(:offer_ids::bigint[]) group by offer_id;

-- name: answers(checkout_ids)
-- What these checkouts were told before.
select checkout_id, state, refusal::text from inventory.reservation where checkout_id = any(:checkout_ids::bigint[]);

-- name: reserve(touched_offers, touched_locations, touched_versions, touched_units,
--     checkout_ids, offers, locations, quantities, refusals, leaned)
-- The brief's optimistic lock, once a batch: rows are locked in one sorted order, and one whose version moved
-- or whose availability fell is lost; asks that touch a lost row are not placed and come back as `lost`.
-- Touched: a row each, with the version that was read and the units wanted. The others: a checkout each, its
-- offers, locations and quantities as array literals, and its refusal (null: placed).
with touched as materialized (
    select s.offer_id, s.location_id,
        s.version = w.version and s.on_hand - s.reserved - s.safety >= w.units as held
    from unnest(:touched_offers::bigint[], :touched_locations::bigint[], :touched_versions::int[], :touched_units::int[])
        as w (offer_id, location_id, version, units)
    join inventory.stock s on s.offer_id = w.offer_id and s.location_id = w.location_id
    order by s.offer_id, s.location_id
    for update of s
), lost as materialized (
    select coalesce(array_agg(offer_id) filter (where not held), '{}') as offers from touched
), ask as materialized (
    select a.checkout_id, a.offers::bigint[], a.locations::bigint[], a.quantities::int[], a.refusal::jsonb,
        a.leaned::bigint[]
    from unnest(:checkout_ids::bigint[], :offers::text[], :locations::text[], :quantities::text[], :refusals::text[],
        :leaned::text[])
        as a (checkout_id, offers, locations, quantities, refusal, leaned)
), unsure as materialized (
    select coalesce(array_agg(o), '{}') as offers
    from ask a, lost, unnest(a.offers) o where a.offers && lost.offers
), placed as (
    insert into inventory.reservation (checkout_id, state, offer_ids, location_ids, quantities, refusal)
    select a.checkout_id, case when a.refusal is null then 'held' else 'refused' end,
        a.offers, a.locations, a.quantities, a.refusal
    from ask a, lost, unsure
    where not (a.offers && lost.offers) and not (a.leaned && unsure.offers)
    order by a.checkout_id
    on conflict do nothing
    returning checkout_id, state, offer_ids, location_ids, quantities
), summed as (
    select u.offer_id, u.location_id, sum(u.quantity)::int as units
    from placed p, unnest(p.offer_ids, p.location_ids, p.quantities) as u (offer_id, location_id, quantity)
    where p.state = 'held'
    group by 1, 2
), taken as (
    update inventory.stock s set reserved = s.reserved + m.units, version = s.version + 1
    from summed m
    where s.offer_id = m.offer_id and s.location_id = m.location_id
    returning s.offer_id, s.version, s.on_hand - s.reserved - s.safety as available, s.low_mark, m.units
), crossed as (
    select events.tell('StockChanged', jsonb_build_object('event', 'StockChanged', 'offer_id', offer_id,
        'version', version, 'available', available, 'low', available <= low_mark,
        'fell', available <= low_mark and available + units > low_mark))
    from taken where (available <= 0 or available <= low_mark) and available + units > low_mark
        or available <= 0 and available + units > 0
)
select checkout_id, (select count(*) from crossed) as told from placed;

-- name: confirm(checkout_ids)
-- Sold: what was held leaves the shelf. Availability stays as it was, and so does the version.
with asked as materialized (
    select r.checkout_id, r.state
    from inventory.reservation r
    where r.checkout_id = any(:checkout_ids::bigint[])
    order by r.checkout_id
    for update
), sold as (
    update inventory.reservation r set state = 'sold'
    where r.checkout_id = any(:checkout_ids::bigint[]) and r.state = 'held' and (select count(*) from asked) >= 0
    returning r.checkout_id, r.offer_ids, r.location_ids, r.quantities
), summed as materialized (
    select u.offer_id, u.location_id, sum(u.quantity)::int as units
    from sold, unnest(sold.offer_ids, sold.location_ids, sold.quantities) as u (offer_id, location_id, quantity)
    group by 1, 2
), locked as materialized (
    select s.offer_id, s.location_id from inventory.stock s
    where s.offer_id in (select offer_id from summed)
    order by s.offer_id, s.location_id
    for update
), left_shelf as (
    update inventory.stock s set on_hand = s.on_hand - m.units, reserved = s.reserved - m.units
    from summed m
    where s.offer_id = m.offer_id and s.location_id = m.location_id and (select count(*) from locked) > 0
), moved as (
    insert into inventory.movement (kind, reference, offer_ids, location_ids, quantities)
    select 'sold', checkout_id::text, offer_ids, location_ids, array(select -q from unnest(quantities) q)
    from sold
)
select checkout_id, state from asked
union all
select checkout_id, 'sold' from sold;

-- name: release(checkout_ids)
-- Undo: what was held is free again; where nothing was, a tombstone makes a late reserve refused.
with buried as (
    insert into inventory.reservation (checkout_id, state, offer_ids, location_ids, quantities)
    select c, 'released', '{}', '{}', '{}' from unnest(:checkout_ids::bigint[]) c order by c
    on conflict do nothing
    returning checkout_id
), freed as (
    update inventory.reservation r set state = 'released'
    from (
        select checkout_id from inventory.reservation
        where checkout_id = any(:checkout_ids::bigint[]) and state = 'held'
        order by checkout_id for update
    ) held
    where r.checkout_id = held.checkout_id and r.state = 'held'
    returning r.checkout_id, r.offer_ids, r.location_ids, r.quantities
), summed as materialized (
    select u.offer_id, u.location_id, sum(u.quantity)::int as units
    from freed, unnest(freed.offer_ids, freed.location_ids, freed.quantities) as u (offer_id, location_id, quantity)
    group by 1, 2
), locked as materialized (
    select s.offer_id, s.location_id from inventory.stock s
    where s.offer_id in (select offer_id from summed)
    order by s.offer_id, s.location_id
    for update
), back as (
    update inventory.stock s set reserved = s.reserved - m.units, version = s.version + 1
    from summed m
    where s.offer_id = m.offer_id and s.location_id = m.location_id and (select count(*) from locked) > 0
    returning s.offer_id, s.version, s.on_hand - s.reserved - s.safety as available, s.low_mark, m.units
), crossed as (
    select events.tell('StockChanged', jsonb_build_object('event', 'StockChanged', 'offer_id', offer_id,
        'version', version, 'available', available, 'low', available <= low_mark))
    from back where available > 0 and available - units <= 0
)
select (select count(*) from buried) as buried, (select count(*) from freed) as freed,
    (select count(*) from crossed) as told;

-- name: receive(kind, reference, offer_ids, quantities, seller_id)
-- Goods come in (or come back): once a reference. `seller_id`: whose they are.
with act as (
    insert into inventory.movement (kind, reference, offer_ids, location_ids, quantities)
    select :kind, :reference, :offer_ids::bigint[], array_fill(1::bigint, array[cardinality(:offer_ids::bigint[])]),
        :quantities::int[]
    on conflict do nothing
    returning offer_ids, quantities
), item as (
    select u.offer_id, sum(u.quantity)::int as quantity
    from act, unnest(act.offer_ids, act.quantities) as u (offer_id, quantity) group by 1 order by 1
), shelved as (
    insert into inventory.stock as s (offer_id, on_hand, seller_id)
    select offer_id, quantity, :seller_id::bigint from item order by offer_id
    on conflict (offer_id, location_id) do update
        set on_hand = s.on_hand + excluded.on_hand, version = s.version + 1
    returning s.offer_id, s.version, s.low_mark, new.on_hand - new.reserved - new.safety as available,
        coalesce(old.on_hand - old.reserved - old.safety, 0) as before
)
select count(events.tell('StockChanged', jsonb_build_object('event', 'StockChanged', 'offer_id', offer_id,
    'version', version, 'available', available, 'low', available <= low_mark))) as told
from shelved where available > 0 and before <= 0;

-- name: count(seller_id, offer_ids, quantities, versions)
-- A seller's counts of shelves, if all are theirs and still at the version they saw; else none.
with shelf as materialized (
    select s.offer_id, s.location_id, s.on_hand, s.version, w.quantity from inventory.stock s
    join unnest(:offer_ids::bigint[], :quantities::int[], :versions::int[]) as w (offer_id, quantity, version) using (offer_id)
    where s.location_id = 1 and s.seller_id = :seller_id and s.version = w.version and s.reserved <= w.quantity
    order by s.offer_id, s.location_id
    for update of s
), counted as (
    update inventory.stock s set on_hand = shelf.quantity, version = s.version + 1
    from shelf where s.offer_id = shelf.offer_id and s.location_id = shelf.location_id
        and (select count(*) from shelf) = cardinality(:offer_ids::bigint[])
    returning s.*, s.on_hand - s.reserved - s.safety as available, shelf.on_hand as before
), moved as (
    insert into inventory.movement (kind, reference, offer_ids, location_ids, quantities)
    select 'counted', offer_id || '/' || version, array[offer_id], array[location_id], array[on_hand - before]
    from counted
), told as (
    select events.tell('StockChanged', jsonb_build_object('event', 'StockChanged', 'offer_id', offer_id,
        'version', version, 'available', available, 'low', available <= low_mark,
        'fell', available <= low_mark and before - reserved - safety > low_mark))
    from counted
    where (available > 0) <> (before - reserved - safety > 0)
        or (available <= low_mark) <> (before - reserved - safety <= low_mark)
)
select offer_id, on_hand, reserved, greatest(available, 0) as available, version, low_mark,
    (select count(*) from told) as told
from counted;

-- name: recount(reference, seller_id, offer_ids, quantities)
-- A seller's counts of many shelves, once a reference.
with shelved as (
    insert into inventory.stock as s (offer_id, on_hand, seller_id)
    select offer_id, quantity, :seller_id::bigint
    from unnest(:offer_ids::bigint[], :quantities::int[]) as u (offer_id, quantity)
    where not exists (select from inventory.movement where reference = :reference and kind = 'counted')
    order by offer_id
    on conflict (offer_id, location_id) do update
        set on_hand = greatest(excluded.on_hand, s.reserved), version = s.version + 1
        where s.seller_id = excluded.seller_id and s.on_hand <> greatest(excluded.on_hand, s.reserved)
    returning s.offer_id, s.location_id, s.version, s.low_mark, new.on_hand - coalesce(old.on_hand, 0) as moved,
        new.on_hand - new.reserved - new.safety as available,
        coalesce(old.on_hand - old.reserved - old.safety, 0) as before
), act as (
    insert into inventory.movement (kind, reference, offer_ids, location_ids, quantities)
    select 'counted', :reference, array_agg(offer_id order by offer_id), array_agg(location_id order by offer_id),
        array_agg(moved order by offer_id)
    from shelved having count(*) > 0
), told as (
    select events.tell('StockChanged', jsonb_build_object('event', 'StockChanged', 'offer_id', offer_id,
        'version', version, 'available', available, 'low', available <= low_mark,
        'fell', available <= low_mark and before > low_mark))
    from shelved where (available > 0) <> (before > 0) or (available <= low_mark) <> (before <= low_mark)
)
select offer_id, (select count(*) from told) as told from shelved where moved <> 0;

-- name: counted_under(start)
-- The counts whose references begin so, in their order.
select reference from inventory.movement
where reference >= :start and reference < :start || '~' and kind = 'counted' order by at, reference;

-- name: uncount(reference, undo)
-- Takes back what a count made of shelves, once: the difference, so that what was sold since stays sold. A shelf that
-- was counted again since is left, and none falls below what is held.
with made as materialized (
    select u.offer_id, u.location_id, u.moved, exists (select from inventory.movement later
        where later.kind = 'counted' and later.offer_ids @> array[u.offer_id] and later.at >= m.at
            and later.reference <> m.reference) as since
    from inventory.movement m, unnest(m.offer_ids, m.location_ids, m.quantities) as u (offer_id, location_id, moved)
    where m.reference = :reference and m.kind = 'counted'
        and not exists (select from inventory.movement where reference = :undo and kind = 'counted')
), shelf as materialized (
    select s.offer_id, s.location_id, greatest(s.on_hand - made.moved, s.reserved) as wanted
    from made join inventory.stock s using (offer_id, location_id)
    where not made.since order by s.offer_id, s.location_id for update of s
), back as (
    update inventory.stock s set on_hand = shelf.wanted, version = s.version + 1
    from shelf where s.offer_id = shelf.offer_id and s.location_id = shelf.location_id
    returning s.offer_id, s.location_id, s.version, s.low_mark, new.on_hand - old.on_hand as moved,
        new.on_hand - new.reserved - new.safety as available, old.on_hand - old.reserved - old.safety as before
), act as (
    insert into inventory.movement (kind, reference, offer_ids, location_ids, quantities)
    select 'counted', :undo, coalesce(array_agg(offer_id order by offer_id), '{}'),
        coalesce(array_agg(location_id order by offer_id), '{}'), coalesce(array_agg(moved order by offer_id), '{}')
    from back having (select count(*) from made) > 0
), told as (
    select events.tell('StockChanged', jsonb_build_object('event', 'StockChanged', 'offer_id', offer_id,
        'version', version, 'available', available, 'low', available <= low_mark,
        'fell', available <= low_mark and before > low_mark))
    from back where (available > 0) <> (before > 0) or (available <= low_mark) <> (before <= low_mark)
)
select count(*) from told;

-- name: uncounted(start)
select coalesce(sum(cardinality(u.offer_ids)), 0)::int as put_back,
    coalesce(sum(cardinality(m.offer_ids) - cardinality(u.offer_ids)), 0)::int as changed_since
from inventory.movement m join inventory.movement u on u.reference = 'undo/' || m.reference and u.kind = 'counted'
where m.reference >= :start and m.reference < :start || '~' and m.kind = 'counted';

-- name: owned(offer_ids, seller_id)
select offer_id, on_hand, reserved, greatest(on_hand - reserved - safety, 0) as available, version, low_mark
from inventory.stock where offer_id = any(:offer_ids::bigint[]) and seller_id = :seller_id and location_id = 1;

-- name: lying(seller_id, sold, most)
-- What stands on shelves and is not among what sold, the oldest offers first; of one seller, or of all.
select offer_id, on_hand, reserved, greatest(on_hand - reserved - safety, 0) as available, version, low_mark
from inventory.stock
where location_id = 1 and on_hand > 0 and (:seller_id::bigint is null or seller_id = :seller_id)
    and offer_id <> all(:sold::bigint[])
order by offer_id limit :most;

-- name: set_low_mark(seller_id, offer_id, low_mark)
-- Whoever sets it sees at once what is low, so nothing is told.
update inventory.stock set low_mark = :low_mark
where offer_id = :offer_id and seller_id = :seller_id and location_id = 1
returning offer_id, on_hand, reserved, greatest(on_hand - reserved - safety, 0) as available, version, low_mark;

-- name: shelves(seller_id, only_low, by_available, way, after, most)
-- A seller's shelves; `way`: 1 from the smallest up, -1 from the largest down; `after` is the last one of the page before.
with shelf as (
    select offer_id, on_hand, reserved, greatest(on_hand - reserved - safety, 0) as available, version, low_mark
    from inventory.stock
    where seller_id = :seller_id and location_id = 1
        and (not :only_low::boolean or on_hand - reserved - safety <= low_mark or offer_id = :after)
)
select * from shelf
where (not :only_low or available <= low_mark) and (:after::bigint is null
    or (case when :by_available::boolean then available * :way else 0 end, offer_id * :way) > (
        select case when :by_available then last.available * :way else 0 end, last.offer_id * :way
        from shelf last where last.offer_id = :after))
order by case when :by_available then available * :way else 0 end, offer_id * :way
limit :most;

-- name: shelf_counts(seller_id)
select count(*) as every, count(*) filter (where on_hand - reserved - safety <= low_mark) as low
from inventory.stock where seller_id = :seller_id and location_id = 1;
