-- name: create_many
-- Orders with their lines and the one fact of buying. What was refused before stays refused.
with placed as (
    insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, email, subtotal, discount,
        shipping, tax, total, currency, shipping_method, estimated_delivery, address, placed_at)
    select a.bucket, a.order_id, a.user_id, a.checkout_id, a.cart_id, 'confirmed', a.email, a.subtotal, a.discount,
        a.shipping, a.tax, a.total, a.currency, a.shipping_method, a.estimated_delivery, a.address::json, a.placed_at
    from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[],
        $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::text[], $14::date[], $15::text[],
        $16::timestamptz[], $17::text[])
        as a (bucket, order_id, user_id, checkout_id, cart_id, email, subtotal, discount, shipping, tax, total,
            currency, shipping_method, estimated_delivery, address, placed_at, fact)
    order by a.bucket, a.order_id
    on conflict do nothing
    returning order_id
), fresh as materialized (
    select coalesce(array_agg(order_id), '{}') as ids from placed
), lined as (
    insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, image_url,
        quantity, unit_price, total)
    select l.bucket, l.order_id, l.order_line_id, l.product_id, l.offer_id, l.seller_id, l.title, l.image_url,
        l.quantity, l.unit_price, l.total
    from unnest($18::smallint[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[],
        $24::text[], $25::text[], $26::int[], $27::bigint[], $28::bigint[])
        as l (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, image_url, quantity,
            unit_price, total), fresh
    where l.order_id = any (fresh.ids)
)
select a.order_id, events.tell_json('OrderPlaced', a.fact) as told
from unnest($2::bigint[], $17::text[]) as a (order_id, fact), fresh
where a.order_id = any (fresh.ids);

-- name: states
select order_id, status from orders.orders where (bucket, order_id) in (select * from unnest($1::smallint[], $2::bigint[]));

-- name: refuse
with buried as (
    insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, placed_at)
    values ($1, $2, $3, $4, $5, 'refused', $6)
    on conflict do nothing
    returning status
)
select status from buried
union all
select status from orders.orders where bucket = $1 and order_id = $2 and not exists (select from buried);

-- name: order
select o.order_id, o.user_id, o.status, o.email, o.subtotal, o.discount, o.shipping, o.tax, o.total, o.currency,
    o.shipping_method, o.estimated_delivery, o.address::text, o.placed_at as created_at, o.checkout_id,
    (select json_agg(json_build_object('order_line_id', l.order_line_id, 'product_id', l.product_id,
        'offer_id', l.offer_id, 'seller_id', l.seller_id, 'title', l.title, 'image_url', l.image_url,
        'quantity', l.quantity, 'shipped', l.shipped, 'delivered', l.delivered, 'returned', l.returned,
        'unit_price', l.unit_price, 'total', l.total) order by l.order_line_id)
        from orders.line l where l.bucket = o.bucket and l.order_id = o.order_id)::text as lines,
    coalesce((select json_agg(json_build_object('what', h.what, 'who', h.who, 'at', h.at, 'detail', h.detail)
        order by h.at, h.reference)
        from orders.history h where h.bucket = o.bucket and h.order_id = o.order_id and h.what <> 'withdrawn'),
        '[]')::text as history
from orders.orders o
where o.bucket = $1 and o.order_id = $2 and o.user_id = any($3::bigint[]) and o.status <> 'refused';

-- name: list_of
select o.order_id, o.status, o.total, o.currency, o.placed_at as created_at,
    (select sum(quantity) from orders.line l where l.bucket = o.bucket and l.order_id = o.order_id)::int as item_count,
    (select l.title from orders.line l where l.bucket = o.bucket and l.order_id = o.order_id
        order by l.order_line_id limit 1) as title,
    (select l.image_url from orders.line l where l.bucket = o.bucket and l.order_id = o.order_id
        order by l.order_line_id limit 1) as image_url
from orders.orders o
where o.bucket = any($1::smallint[]) and o.user_id = any($2::bigint[]) and o.status <> 'refused' and o.order_id < $3
order by o.order_id desc
limit $4 offset $5;

-- name: count_of
select count(*) from orders.orders
where bucket = any($1::smallint[]) and user_id = any($2::bigint[]) and status <> 'refused';

-- name: newest
select o.order_id, o.status, o.total, o.currency, o.placed_at as created_at, 0 as item_count, '' as title, '' as image_url
from orders.orders o
where o.status <> 'refused' and o.order_id < $1 and ($3::text is null or o.status = $3)
order by o.order_id desc
limit $2;

-- name: newest_of_seldom
select o.order_id, o.status, o.total, o.currency, o.placed_at as created_at, 0 as item_count, '' as title, '' as image_url
from orders.orders o
where o.status in ('partially_shipped', 'shipped', 'cancelled') and o.order_id < $1 and o.status = $3::text
order by o.order_id desc
limit $2;

-- name: cancel
-- Decided here: nothing has shipped, so it is cancelled, and told once.
with cancelled as (
    update orders.orders set status = 'cancelled'
    where bucket = $1 and order_id = $2 and user_id = any($3::bigint[]) and status = 'confirmed'
    returning bucket, order_id, user_id, email, total, currency
), noted as (
    insert into orders.history (bucket, order_id, reference, what, who)
    select bucket, order_id, 'cancelled', 'cancelled', $4 from cancelled
)
select events.tell('OrderCancelled', jsonb_build_object('event', 'OrderCancelled', 'order_id', order_id,
    'user_id', user_id, 'email', email, 'total', total, 'currency', currency)) from cancelled;

-- name: lock
select status, user_id, currency, subtotal, discount, case when prices_include_tax then 0 else tax end as tax
from orders.orders where bucket = $1 and order_id = $2 and status <> 'refused' for update;

-- name: happened
select detail::text, what = 'withdrawn' as withdrawn
from orders.history where bucket = $1 and order_id = $2 and reference = $3;

-- name: lines
select order_line_id, offer_id, seller_id, quantity, shipped, delivered, returned, unit_price
from orders.line where bucket = $1 and order_id = $2 order by order_line_id;

-- name: set_lines
update orders.line l set shipped = n.shipped, delivered = n.delivered, returned = n.returned
from unnest($3::bigint[], $4::int[], $5::int[], $6::int[]) as n (order_line_id, shipped, delivered, returned)
where l.bucket = $1 and l.order_id = $2 and l.order_line_id = n.order_line_id;

-- name: set_status
update orders.orders set status = $3 where bucket = $1 and order_id = $2;

-- name: note
insert into orders.history (bucket, order_id, reference, what, who, detail)
values ($1, $2, $3, $4, $5, $6::jsonb) on conflict do nothing;

-- name: tell_delivered
select events.tell('OrderDelivered', jsonb_build_object('event', 'OrderDelivered', 'order_id', $2::bigint,
    'user_id', $3::bigint, 'product_ids', (select jsonb_agg(distinct product_id) from orders.line
        where bucket = $1 and order_id = $2)));
