-- name: open(shipment_id, order_id, user_id, seller_id, carrier, tracking_number, lines, at)
-- Once a shipment; told as the first movement of its parcel.
with opened as (
    insert into fulfilment.shipment (shipment_id, order_id, user_id, seller_id, carrier, tracking_number, status, lines)
    values (:shipment_id, :order_id, :user_id, :seller_id, :carrier, :tracking_number, 'shipped', :lines::jsonb)
    on conflict do nothing
    returning *
), first as (
    insert into fulfilment.event (shipment_id, version, status, at)
    select shipment_id, 1, 'shipped', :at from opened
)
select events.tell('ParcelMoved', jsonb_build_object('event', 'ParcelMoved', 'shipment_id', shipment_id,
    'order_id', order_id, 'user_id', user_id, 'seller_id', seller_id, 'version', 1, 'status', 'shipped', 'at', :at,
    'carrier', carrier, 'tracking_number', tracking_number, 'lines', lines, 'location', '')) from opened;

-- name: seen(shipment_id, seller_id, status, reached, location, at)
-- Forward only: `reached` is how far along the way the status is (0: an exception, which moves nothing). The same
-- status moves where it is seen at another place; one that comes again, late, does not.
with moved as (
    update fulfilment.shipment
    set status = :status, location = :location, reached = greatest(reached, :reached), version = version + 1
    where shipment_id = :shipment_id and seller_id = :seller_id and status <> 'delivered' and case
        when status = :status then :location <> '' and :location <> location and not exists (select from fulfilment.event e
            where e.shipment_id = :shipment_id and e.status = :status and e.location = :location)
        else :reached = 0 or :reached > reached or status = 'exception' and :reached >= reached end
    returning *
), noted as (
    insert into fulfilment.event (shipment_id, version, status, location, at)
    select shipment_id, version, :status, :location, :at from moved
)
select events.tell('ParcelMoved', jsonb_build_object('event', 'ParcelMoved', 'shipment_id', shipment_id,
    'order_id', order_id, 'user_id', user_id, 'seller_id', seller_id, 'version', version, 'status', status, 'at', :at,
    'carrier', carrier, 'tracking_number', tracking_number, 'lines', lines, 'location', :location::text)) from moved;

-- name: shipments(order_ids, seller_id)
select s.shipment_id, s.order_id, s.seller_id, s.carrier, s.tracking_number, s.status, s.version, s.lines::text,
    (select json_agg(json_build_object('status', e.status, 'location', e.location, 'at', e.at) order by e.version)
        from fulfilment.event e where e.shipment_id = s.shipment_id)::text as events
from fulfilment.shipment s
where s.order_id = any(:order_ids::bigint[]) and (:seller_id::bigint is null or s.seller_id = :seller_id)
order by s.shipment_id;

-- name: shipment(shipment_id, seller_id)
select s.shipment_id, s.order_id, s.seller_id, s.carrier, s.tracking_number, s.status, s.version, s.lines::text,
    (select json_agg(json_build_object('status', e.status, 'location', e.location, 'at', e.at) order by e.version)
        from fulfilment.event e where e.shipment_id = s.shipment_id)::text as events
from fulfilment.shipment s
where s.shipment_id = :shipment_id and s.seller_id = :seller_id;

-- name: take_orders(seller_ids, order_ids, placed_ats, currencies, lines, addresses, estimated_deliveries)
insert into fulfilment.seller_order (seller_id, order_id, placed_at, currency, lines, address, estimated_delivery)
select s, o, p, c, l::jsonb, a::jsonb, e
from unnest(:seller_ids::bigint[], :order_ids::bigint[], :placed_ats::timestamptz[], :currencies::text[],
    :lines::text[], :addresses::text[], :estimated_deliveries::text[])
    as x (s, o, p, c, l, a, e)
order by s, o
on conflict do nothing;

-- name: cancel_orders(order_ids)
update fulfilment.seller_order set status = 'cancelled' where order_id = any(:order_ids::bigint[]) and status = 'to_ship';

-- name: cancel_units(seller_ids, order_ids, order_line_ids, cancelled)
-- How many units of each line are cancelled in all; told again, or late, it is the same.
update fulfilment.seller_order o set cancelled = o.cancelled || told.units
from (
    select seller_id, order_id, jsonb_object_agg(order_line_id::text, cancelled) as units
    from (
        select seller_id, order_id, order_line_id, max(cancelled) as cancelled
        from unnest(:seller_ids::bigint[], :order_ids::bigint[], :order_line_ids::bigint[], :cancelled::int[])
            as a (seller_id, order_id, order_line_id, cancelled)
        group by 1, 2, 3
    ) line
    group by 1, 2
) told
where o.seller_id = told.seller_id and o.order_id = told.order_id;

-- name: orders_of_seller(seller_id, statuses, words, order_id, before, rows_max)
-- By words of the name it goes to, of a title, or a parcel's tracking number; or that order.
select o.order_id, o.placed_at, o.status, o.currency, o.lines::text, o.cancelled::text, o.address::text, o.estimated_delivery
from fulfilment.seller_order o
where o.seller_id = :seller_id and (:statuses::text[] is null or o.status = any (:statuses)) and o.order_id < :before
    and (:words::text = '' or o.order_id = :order_id::bigint or strpos(lower(o.address ->> 'name'), :words) > 0
        or exists (select from jsonb_array_elements(o.lines) l where strpos(lower(l ->> 'title'), :words) > 0)
        or exists (select from fulfilment.shipment s
            where s.order_id = o.order_id and s.seller_id = o.seller_id and lower(s.tracking_number) = :words))
order by o.order_id desc
limit :rows_max;

-- name: orders_of_seller_sorted(seller_id, statuses, words, order_id, by_promise, way, after, rows_max)
-- `way`: 1 from the first up, -1 from the last down; `after` is the last order of the page before.
select o.order_id, o.placed_at, o.status, o.currency, o.lines::text, o.cancelled::text, o.address::text, o.estimated_delivery
from fulfilment.seller_order o
where o.seller_id = :seller_id and (:statuses::text[] is null or o.status = any (:statuses))
    and (:words::text = '' or o.order_id = :order_id::bigint or strpos(lower(o.address ->> 'name'), :words) > 0
        or exists (select from jsonb_array_elements(o.lines) l where strpos(lower(l ->> 'title'), :words) > 0)
        or exists (select from fulfilment.shipment s
            where s.order_id = o.order_id and s.seller_id = o.seller_id and lower(s.tracking_number) = :words))
    and (:after::bigint is null or (
            case when :by_promise::boolean then fulfilment.day_number(o.estimated_delivery) * :way else 0 end,
            o.order_id * :way) > (
        select case when :by_promise then fulfilment.day_number(l.estimated_delivery) * :way else 0 end, l.order_id * :way
        from fulfilment.seller_order l where l.seller_id = :seller_id and l.order_id = :after))
order by case when :by_promise then fulfilment.day_number(o.estimated_delivery) * :way else 0 end, o.order_id * :way
limit :rows_max;

-- name: counts_of_seller(seller_id)
select status, count(*)::int as orders from fulfilment.seller_order where seller_id = :seller_id group by status;

-- name: progress(order_ids)
-- The status of a seller's order, from what its shipments carry and what was cancelled; where there is neither, as of
-- nearly every new order, it stays. It only grows: parcels never come back, and of two that are opened at once the one
-- that saw less must not have the last word.
with sent as (
    select s.seller_id, s.order_id, sum((l ->> 'quantity')::int) as units,
        sum((l ->> 'quantity')::int) filter (where s.status = 'delivered') as arrived
    from fulfilment.shipment s, jsonb_array_elements(s.lines) l
    where s.order_id = any(:order_ids::bigint[])
    group by 1, 2
), wanted as (
    select o.seller_id, o.order_id, sum((l ->> 'quantity')::int) as ordered,
        (select coalesce(sum(units::int), 0) from jsonb_each_text(o.cancelled) as c (line, units)) as cancelled
    from fulfilment.seller_order o, jsonb_array_elements(o.lines) l
    where o.order_id = any(:order_ids::bigint[])
        and (o.cancelled <> '{}' or exists (select from fulfilment.shipment s where s.order_id = o.order_id))
    group by 1, 2
), reached as (
    select w.seller_id, w.order_id, case when w.ordered = w.cancelled then 'cancelled'
        when s.arrived >= w.ordered - w.cancelled then 'delivered'
        when s.units >= w.ordered - w.cancelled then 'shipped'
        when s.units > 0 then 'partially_shipped' else 'to_ship' end as status
    from wanted w left join sent s using (seller_id, order_id)
)
update fulfilment.seller_order o set status = r.status
from reached r
where o.seller_id = r.seller_id and o.order_id = r.order_id and o.status <> 'cancelled'
    and array_position('{to_ship,partially_shipped,shipped,delivered,cancelled}'::text[], r.status)
        > array_position('{to_ship,partially_shipped,shipped,delivered,cancelled}'::text[], o.status);

-- name: forget_orders(order_ids)
update fulfilment.seller_order set address = '{}' where order_id = any (:order_ids::bigint[]);

-- name: orders_like(words, pattern, before, rows_max)
-- By the tracking number of a parcel, or by how the name begins of whom it goes to.
select order_id from (
    (select order_id from fulfilment.shipment
     where lower(tracking_number) = :words and order_id < :before
     order by order_id desc limit :rows_max)
    union
    (select order_id from fulfilment.seller_order
     where recipient like :pattern and order_id < :before
     order by order_id desc limit :rows_max)
) found
order by order_id desc limit :rows_max;

-- name: order_ids_of_seller(seller_id, since, before, rows_max)
select order_id from fulfilment.seller_order
where seller_id = :seller_id and order_id >= :since and order_id < :before
order by order_id desc limit :rows_max;

-- name: profiles
select seller_id, profile::text, changed_at from fulfilment.delivery_profile;

-- name: set_profile(seller_id, profile, changed_at, seen_at)
-- Of one that was seen only while it stands, where that was none only while there is none (no change has the moment
-- of version 0); each change has a moment of its own.
insert into fulfilment.delivery_profile as p (seller_id, profile, changed_at)
values (:seller_id, :profile::text::jsonb, :changed_at)
on conflict (seller_id) do update
    set profile = excluded.profile, changed_at = greatest(excluded.changed_at, p.changed_at + interval '1 microsecond')
    where :seen_at::timestamptz is null or p.changed_at = :seen_at
returning changed_at;
