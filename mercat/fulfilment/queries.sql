-- name: open
-- Once a shipment; told as the first movement of its parcel.
with opened as (
    insert into fulfilment.shipment (shipment_id, order_id, user_id, seller_id, carrier, tracking_number, status, lines)
    values ($1, $2, $3, $4, $5, $6, 'shipped', $7::jsonb)
    on conflict do nothing
    returning *
), first as (
    insert into fulfilment.event (shipment_id, version, status, at)
    select shipment_id, 1, 'shipped', $8 from opened
)
select events.tell('ParcelMoved', jsonb_build_object('event', 'ParcelMoved', 'shipment_id', shipment_id,
    'order_id', order_id, 'user_id', user_id, 'seller_id', seller_id, 'version', 1, 'status', 'shipped', 'at', $8,
    'carrier', carrier, 'tracking_number', tracking_number, 'lines', lines, 'location', '')) from opened;

-- name: seen
-- Forward only: $4 is how far along the way the status is (0: an exception, which moves nothing). The same
-- status moves where it is seen at another place; one that comes again, late, does not.
with moved as (
    update fulfilment.shipment
    set status = $3, location = $5, reached = greatest(reached, $4), version = version + 1
    where shipment_id = $1 and seller_id = $2 and status <> 'delivered' and case
        when status = $3 then $5 <> '' and $5 <> location and not exists (select from fulfilment.event e
            where e.shipment_id = $1 and e.status = $3 and e.location = $5)
        else $4 = 0 or $4 > reached or status = 'exception' and $4 >= reached end
    returning *
), noted as (
    insert into fulfilment.event (shipment_id, version, status, location, at)
    select shipment_id, version, $3, $5, $6 from moved
)
select events.tell('ParcelMoved', jsonb_build_object('event', 'ParcelMoved', 'shipment_id', shipment_id,
    'order_id', order_id, 'user_id', user_id, 'seller_id', seller_id, 'version', version, 'status', status, 'at', $6,
    'carrier', carrier, 'tracking_number', tracking_number, 'lines', lines, 'location', $5::text)) from moved;

-- name: shipments
select s.shipment_id, s.order_id, s.seller_id, s.carrier, s.tracking_number, s.status, s.version, s.lines::text,
    (select json_agg(json_build_object('status', e.status, 'location', e.location, 'at', e.at) order by e.version)
        from fulfilment.event e where e.shipment_id = s.shipment_id)::text as events
from fulfilment.shipment s
where s.order_id = any($1::bigint[]) and ($2::bigint is null or s.seller_id = $2)
order by s.shipment_id;

-- name: shipment
select s.shipment_id, s.order_id, s.seller_id, s.carrier, s.tracking_number, s.status, s.version, s.lines::text,
    (select json_agg(json_build_object('status', e.status, 'location', e.location, 'at', e.at) order by e.version)
        from fulfilment.event e where e.shipment_id = s.shipment_id)::text as events
from fulfilment.shipment s
where s.shipment_id = $1 and s.seller_id = $2;

-- name: take_orders
insert into fulfilment.seller_order (seller_id, order_id, placed_at, currency, lines, address, estimated_delivery)
select s, o, p, c, l::jsonb, a::jsonb, e
from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[])
    as x (s, o, p, c, l, a, e)
order by s, o
on conflict do nothing;

-- name: cancel_orders
update fulfilment.seller_order set status = 'cancelled' where order_id = any($1::bigint[]) and status = 'to_ship';

-- name: orders_of_seller
select o.order_id, o.placed_at, o.status, o.currency, o.lines::text, o.address::text, o.estimated_delivery
from fulfilment.seller_order o
where o.seller_id = $1 and ($2::text is null or o.status = $2) and o.order_id < $3
order by o.order_id desc
limit $4;

-- name: progress
-- The status of a seller's order, from what its shipments carry. It only grows: parcels never come back, and
-- of two that are opened at once the one that saw less must not have the last word.
with sent as (
    select s.seller_id, s.order_id, sum((l ->> 'quantity')::int) as units,
        sum((l ->> 'quantity')::int) filter (where s.status = 'delivered') as arrived
    from fulfilment.shipment s, jsonb_array_elements(s.lines) l
    where s.order_id = any($1::bigint[])
    group by 1, 2
), wanted as (
    select o.seller_id, o.order_id, sum((l ->> 'quantity')::int) as units
    from fulfilment.seller_order o, jsonb_array_elements(o.lines) l
    where o.order_id = any($1::bigint[])
    group by 1, 2
), reached as (
    select seller_id, order_id, case when s.arrived >= w.units then 'delivered'
        when s.units >= w.units then 'shipped' else 'partially_shipped' end as status
    from sent s join wanted w using (seller_id, order_id)
)
update fulfilment.seller_order o set status = r.status
from reached r
where o.seller_id = r.seller_id and o.order_id = r.order_id and o.status <> 'cancelled'
    and array_position('{to_ship,partially_shipped,shipped,delivered}'::text[], r.status)
        > array_position('{to_ship,partially_shipped,shipped,delivered}'::text[], o.status);
