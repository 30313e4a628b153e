-- name: create_many(buckets, order_ids, user_ids, checkout_ids, cart_ids, emails, subtotals, discounts, shippings,
--     taxes, totals, currencies, shipping_methods, estimated_deliveries, addresses, placed_ats, parts, tax_included,
--     applied_discounts, roundings, taxed_bys, tax_notes, channels, facts,
--     line_buckets, line_order_ids, order_line_ids, product_ids, offer_ids, seller_ids, titles, image_urls,
--     quantities, unit_prices, line_totals, line_discounts, seller_discounts, line_taxes, shop_taxes)
-- Orders with their lines and the one fact of buying, to which the number is added here. What was refused
-- before stays refused.
with asked as materialized (
    select a.*, nextval('orders.number') as number
    from unnest(:buckets::smallint[], :order_ids::bigint[], :user_ids::bigint[], :checkout_ids::bigint[],
        :cart_ids::bigint[], :emails::text[], :subtotals::bigint[], :discounts::bigint[], :shippings::bigint[],
        :taxes::bigint[], :totals::bigint[], :currencies::text[], :shipping_methods::text[],
        :estimated_deliveries::date[], :addresses::text[], :placed_ats::timestamptz[], :parts::text[], :tax_included::bool[],
        :applied_discounts::text[], :roundings::text[], :taxed_bys::text[], :tax_notes::text[], :channels::text[],
        :facts::text[])
        as a (bucket, order_id, user_id, checkout_id, cart_id, email, subtotal, discount, shipping, tax, total,
            currency, shipping_method, estimated_delivery, address, placed_at, parts, prices_include_tax, discounts,
            rounding, taxed_by, tax_note, channel, fact)
), placed as (
    insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, email, subtotal, discount,
        shipping, tax, total, currency, shipping_method, estimated_delivery, address, placed_at, parts,
        prices_include_tax, discounts, rounding, taxed_by, tax_note, channel, number)
    select a.bucket, a.order_id, a.user_id, a.checkout_id, a.cart_id, 'confirmed', a.email, a.subtotal, a.discount,
        a.shipping, a.tax, a.total, a.currency, a.shipping_method, a.estimated_delivery, a.address::json, a.placed_at,
        a.parts::json, a.prices_include_tax, a.discounts::json, a.rounding, a.taxed_by, a.tax_note, a.channel,
        a.number
    from asked a
    order by a.bucket, a.order_id
    on conflict do nothing
    returning order_id
), fresh as materialized (
    select coalesce(array_agg(order_id), '{}') as ids from placed
), lined as (
    insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, image_url,
        quantity, unit_price, total, discount, seller_discount, tax, shop_tax)
    select l.bucket, l.order_id, l.order_line_id, l.product_id, l.offer_id, l.seller_id, l.title, l.image_url,
        l.quantity, l.unit_price, l.total, l.discount, l.seller_discount, l.tax, l.shop_tax
    from unnest(:line_buckets::smallint[], :line_order_ids::bigint[], :order_line_ids::bigint[],
        :product_ids::bigint[], :offer_ids::bigint[], :seller_ids::bigint[], :titles::text[], :image_urls::text[],
        :quantities::int[], :unit_prices::bigint[], :line_totals::bigint[], :line_discounts::bigint[],
        :seller_discounts::bigint[], :line_taxes::bigint[], :shop_taxes::bigint[])
        as l (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, image_url, quantity,
            unit_price, total, discount, seller_discount, tax, shop_tax), fresh
    where l.order_id = any (fresh.ids)
)
select a.order_id, events.tell_json('OrderPlaced', a.fact || ',"number":' || a.number || '}') as told
from asked a, fresh
where a.order_id = any (fresh.ids);

-- name: states(buckets, order_ids)
select order_id, status from orders.orders
where (bucket, order_id) in (select * from unnest(:buckets::smallint[], :order_ids::bigint[]));

-- name: refuse(bucket, order_id, user_id, checkout_id, cart_id, placed_at)
with buried as (
    insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, placed_at)
    values (:bucket, :order_id, :user_id, :checkout_id, :cart_id, 'refused', :placed_at)
    on conflict do nothing
    returning status
)
select status from buried
union all
select status from orders.orders where bucket = :bucket and order_id = :order_id and not exists (select from buried);

-- name: order(bucket, order_id, user_ids, seller_id)
select o.order_id, o.number, o.user_id, o.status, o.email, o.subtotal, o.discount, o.shipping, o.tax, o.total, o.currency,
    o.shipping_method, o.estimated_delivery, o.address::text, o.placed_at as created_at, o.checkout_id,
    o.parts::text, o.prices_include_tax as tax_included, o.discounts::text, o.tax_note,
    (select json_agg(json_build_object('order_line_id', l.order_line_id, 'product_id', l.product_id,
        'offer_id', l.offer_id, 'seller_id', l.seller_id, 'title', l.title, 'image_url', l.image_url,
        'quantity', l.quantity, 'shipped', l.shipped, 'delivered', l.delivered, 'returned', l.returned,
        'cancelled', l.cancelled, 'coming_back', l.coming_back, 'refunded', l.refunded, 'unit_price', l.unit_price, 'total', l.total,
        'discount', l.discount, 'tax', coalesce(l.tax, 0)) order by l.order_line_id)
        from orders.line l where l.bucket = o.bucket and l.order_id = o.order_id)::text as lines,
    coalesce((select json_agg(json_build_object('what', h.what, 'who', h.who, 'at', h.at, 'detail', h.detail)
        order by h.at, h.reference)
        from orders.history h where h.bucket = o.bucket and h.order_id = o.order_id and h.what <> 'withdrawn'),
        '[]')::text as history
from orders.orders o
where o.bucket = :bucket and o.order_id = :order_id and o.status <> 'refused'
    and (:user_ids::bigint[] is null or o.user_id = any(:user_ids))
    and (:seller_id::bigint is null or exists (select from orders.line l
        where l.bucket = o.bucket and l.order_id = o.order_id and l.seller_id = :seller_id));

-- name: exported(before, most)
-- Orders with their lines, the newest first, without what happened to them.
select o.order_id, o.number, o.user_id, o.status, o.email, o.subtotal, o.discount, o.shipping, o.tax, o.total, o.currency,
    o.shipping_method, o.estimated_delivery, o.address::text, o.placed_at as created_at, o.checkout_id,
    o.parts::text, o.prices_include_tax as tax_included, o.discounts::text,
    (select json_agg(json_build_object('order_line_id', l.order_line_id, 'product_id', l.product_id,
        'offer_id', l.offer_id, 'seller_id', l.seller_id, 'title', l.title, 'image_url', l.image_url,
        'quantity', l.quantity, 'shipped', l.shipped, 'delivered', l.delivered, 'returned', l.returned,
        'cancelled', l.cancelled, 'coming_back', l.coming_back, 'refunded', l.refunded, 'unit_price', l.unit_price, 'total', l.total,
        'discount', l.discount, 'tax', coalesce(l.tax, 0)) order by l.order_line_id)
        from orders.line l where l.bucket = o.bucket and l.order_id = o.order_id)::text as lines
from orders.orders o
where o.order_id < :before and o.status <> 'refused' and o.bucket::int <@ (select buckets from orders.here)
order by o.order_id desc limit :most;

-- name: bill(bucket, order_id)
select status, currency, subtotal, discount, shipping, tax, parts::text, prices_include_tax as tax_included
from orders.orders where bucket = :bucket and order_id = :order_id and status <> 'refused';

-- name: find(number, email, notice_id)
select events.tell('OrderLinkAsked', jsonb_build_object('event', 'OrderLinkAsked', 'notice_id', :notice_id::bigint,
    'order_id', order_id, 'email', email))
from orders.orders where number = :number and lower(email) = :email and status <> 'refused'
    and bucket::int <@ (select buckets from orders.here);

-- name: list_of(buckets, user_ids, before, rows_max, skipped)
select o.order_id, o.number, o.status, o.total, o.currency, o.placed_at as created_at,
    (select sum(quantity) from orders.line l where l.bucket = o.bucket and l.order_id = o.order_id)::int as item_count,
    (select l.title from orders.line l where l.bucket = o.bucket and l.order_id = o.order_id
        order by l.order_line_id limit 1) as title,
    (select l.image_url from orders.line l where l.bucket = o.bucket and l.order_id = o.order_id
        order by l.order_line_id limit 1) as image_url
from orders.orders o
where o.bucket = any(:buckets::smallint[]) and o.user_id = any(:user_ids::bigint[]) and o.status <> 'refused' and o.order_id < :before
order by o.order_id desc
limit :rows_max offset :skipped;

-- name: count_of(buckets, user_ids)
select count(*) from orders.orders
where bucket = any(:buckets::smallint[]) and user_id = any(:user_ids::bigint[]) and status <> 'refused';

-- name: counts(statuses, most)
-- How many orders have each status, as far as `most`: no further, for of some there are millions. The index has
-- all that is asked: the bucket is in the id.
select s.status, (select count(*) from (
    select from orders.orders o where o.status = s.status and o.status <> 'refused'
        and (o.order_id >> 12 & 1023)::int <@ (select buckets from orders.here) limit :most) counted)::int as orders
from unnest(:statuses::text[]) as s (status);

-- name: newest(statuses, before, rows_max, since)
-- Of each status by its index, then the newest of them: one that few orders have is not sought among all.
select o.order_id, o.number, o.status, o.total, o.currency, o.placed_at as created_at, 0 as item_count, '' as title, '' as image_url
from unnest(:statuses::text[]) as wanted (status), lateral (
    select * from orders.orders o
    where o.status = wanted.status and o.status <> 'refused' and o.order_id < :before and o.order_id >= :since
        and o.bucket::int <@ (select buckets from orders.here)
    order by o.order_id desc limit :rows_max
) o
order by o.order_id desc
limit :rows_max;

-- name: lock(bucket, order_id)
select status, user_id, email, currency, subtotal, discount, shipping, tax, parts::text, prices_include_tax as tax_included
from orders.orders where bucket = :bucket and order_id = :order_id and status <> 'refused' for update;

-- name: happened(bucket, order_id, reference)
select detail::text, what = 'withdrawn' as withdrawn
from orders.history where bucket = :bucket and order_id = :order_id and reference = :reference;

-- name: decisions(bucket, order_id, reference)
-- What was decided of an order that pays something back, and what has this reference.
select reference, what, detail::text from orders.history
where bucket = :bucket and order_id = :order_id
    and (reference = :reference or what in ('cancelled', 'returned', 'refunded'));

-- name: lines(bucket, order_id)
select order_line_id, offer_id, seller_id, quantity, shipped, delivered, returned, unit_price, cancelled, coming_back,
    refunded, product_id, discount, seller_discount, tax, shop_tax
from orders.line where bucket = :bucket and order_id = :order_id order by order_line_id;

-- name: set_lines(bucket, order_id, order_line_ids, shipped, delivered, returned, cancelled, coming_back, refunded)
update orders.line l set shipped = n.shipped, delivered = n.delivered, returned = n.returned, cancelled = n.cancelled,
    coming_back = n.coming_back, refunded = n.refunded
from unnest(:order_line_ids::bigint[], :shipped::int[], :delivered::int[], :returned::int[], :cancelled::int[],
    :coming_back::int[], :refunded::int[])
    as n (order_line_id, shipped, delivered, returned, cancelled, coming_back, refunded)
where l.bucket = :bucket and l.order_id = :order_id and l.order_line_id = n.order_line_id;

-- name: set_status(bucket, order_id, status)
update orders.orders set status = :status where bucket = :bucket and order_id = :order_id;

-- name: note(bucket, order_id, reference, what, who, detail)
insert into orders.history (bucket, order_id, reference, what, who, detail)
values (:bucket, :order_id, :reference, :what, :who, :detail::jsonb) on conflict do nothing;

-- name: tell(kinds, facts)
select events.tell_json(t.kind, t.fact)
from unnest(:kinds::text[], :facts::text[]) with ordinality as t (kind, fact, n) order by t.n;

-- name: number_old(rows_max)
-- Orders of an earlier release get their numbers, the oldest first.
update orders.orders o set number = nextval('orders.number')
from (
    select bucket, order_id from orders.orders
    where number is null and bucket::int <@ (select buckets from orders.here)
    order by order_id limit :rows_max for update skip locked
) old
where o.bucket = old.bucket and o.order_id = old.order_id
returning o.order_id;

-- name: remember_erased(user_ids, now)
insert into orders.erased (bucket, user_id, erased_at)
select bucket, user_id, :now
from unnest(:user_ids::bigint[]) as told (user_id), lateral (select ((user_id >> 12) & 1023)::int) of_user (bucket)
join orders.here h on h.buckets @> bucket
on conflict do nothing;

-- name: forget_due(before, limit_to)
-- Only people who asked for it. What an order was for, and its tax, stay; what people typed as reasons goes.
with due as (
    select o.bucket, o.order_id from orders.orders o
    join orders.erased e on e.bucket = o.bucket and e.user_id = o.user_id
    where o.bucket::int <@ (select buckets from orders.here) and o.placed_at < :before
        and (o.email <> '' or o.address::text <> '{}' or exists (
        select from orders.note n where n.bucket = o.bucket and n.order_id = o.order_id))
    order by o.bucket, o.order_id
    limit :limit_to
    for update of o skip locked
), noted as (
    delete from orders.note n using due where n.bucket = due.bucket and n.order_id = due.order_id
), given as (
    update orders.history h set detail = h.detail - 'reason'
    from due where h.bucket = due.bucket and h.order_id = due.order_id and h.detail ? 'reason'
)
update orders.orders o set email = '', address = '{}', parts = coalesce((
    select json_agg(part - '{pickup_name,pickup_address}'::text[] order by n)
    from jsonb_array_elements(o.parts::jsonb) with ordinality as each (part, n)), o.parts)
from due where o.bucket = due.bucket and o.order_id = due.order_id
returning o.order_id, events.tell('OrderForgotten', jsonb_build_object('event', 'OrderForgotten',
    'order_id', o.order_id, 'checkout_id', o.checkout_id)) as told;

-- name: among(buckets, order_ids, number, status, since)
-- Of these orders, and the one with this number, what is as asked.
select o.order_id, o.number, o.status, o.total, o.currency, o.placed_at as created_at, 0 as item_count, '' as title, '' as image_url
from (
    select bucket, order_id from unnest(:buckets::smallint[], :order_ids::bigint[]) as a (bucket, order_id)
    union
    select bucket, order_id from orders.orders where number = :number
) wanted
join orders.orders o using (bucket, order_id)
where o.bucket::int <@ (select buckets from orders.here) and o.status <> 'refused' and (:status::text is null or o.status = :status) and o.order_id >= :since
order by o.order_id desc;

-- name: add_note(bucket, order_id, note_id, user_id, who, text, once, now)
with added as (
    insert into orders.note (bucket, order_id, note_id, user_id, who, text, once, at)
    select o.bucket, o.order_id, :note_id::bigint, :user_id::bigint, :who::text, :text::text, :once::text, :now::timestamptz
    from orders.orders o where o.bucket = :bucket and o.order_id = :order_id and o.status <> 'refused'
    on conflict (bucket, order_id, once) do nothing
    returning note_id, who, text, at
)
select note_id, who, text, at from added
union all
select note_id, who, text, at from orders.note
where bucket = :bucket and order_id = :order_id and once = :once and not exists (select from added);

-- name: notes(bucket, order_id)
select note_id, who, text, at from orders.note where bucket = :bucket and order_id = :order_id order by note_id;

-- name: note_refusal(bucket, order_id, reference, now, who, what, code, words, most)
insert into orders.refusal (bucket, order_id, reference, at, who, what, code, words)
select :bucket::smallint, :order_id::bigint, :reference::text, :now::timestamptz, :who::text, :what::text, :code::text,
    :words::text
where (select count(*) from orders.refusal where bucket = :bucket and order_id = :order_id) < :most
on conflict do nothing;

-- name: refusals(bucket, order_id)
select at, who, what, code, words from orders.refusal where bucket = :bucket and order_id = :order_id order by at, reference;

-- name: take_old(imported_order_id, number, email, placed_at, status, currency, subtotal, discount, shipping, tax, total,
--     address, lines)
-- True where it is new, false where it says something else now, nothing where it is as it was.
insert into orders.imported_order as o (imported_order_id, number, email, placed_at, status, currency, subtotal, discount,
    shipping, tax, total, address, lines)
values (:imported_order_id, :number, :email, :placed_at, :status, :currency, :subtotal, :discount, :shipping, :tax, :total,
    :address::jsonb, :lines::jsonb)
on conflict (number) do update set email = excluded.email, placed_at = excluded.placed_at, status = excluded.status,
    currency = excluded.currency, subtotal = excluded.subtotal, discount = excluded.discount, shipping = excluded.shipping,
    tax = excluded.tax, total = excluded.total, address = excluded.address, lines = excluded.lines
    where (o.email, o.placed_at, o.status, o.currency, o.subtotal, o.discount, o.shipping, o.tax, o.total, o.address, o.lines)
        is distinct from (excluded.email, excluded.placed_at, excluded.status, excluded.currency, excluded.subtotal,
            excluded.discount, excluded.shipping, excluded.tax, excluded.total, excluded.address, excluded.lines)
returning old.number is null as added;

-- name: old_of(email, most)
select imported_order_id, number, email, placed_at, status, currency, subtotal, discount, shipping, tax, total,
    address::text, lines::text
from orders.imported_order where lower(email) = lower(:email) and email <> ''
order by placed_at desc, imported_order_id desc limit :most;

-- name: find_old(words, after, most)
select imported_order_id, number, email, placed_at, status, currency, subtotal, discount, shipping, tax, total,
    address::text, lines::text
from orders.imported_order
where (:words = '' or number = :words or lower(email) = lower(:words))
    and (:after::bigint is null or (placed_at, imported_order_id) < (
        select last.placed_at, last.imported_order_id from orders.imported_order last where last.imported_order_id = :after))
order by placed_at desc, imported_order_id desc limit :most;

-- name: forget_old(emails)
update orders.imported_order set email = '', address = '{}' where lower(email) = any(:emails::text[]);

-- name: sold(buckets, order_ids)
-- Orders as reports count them: their lines as at ordering, and what was decided to be taken back since.
select o.bucket, o.order_id, o.user_id, o.currency, o.subtotal, o.discount, o.shipping, o.tax,
    o.prices_include_tax as tax_included, o.status, o.parts::text, o.placed_at, o.channel,
    coalesce(o.address ->> 'country', '') as country,
    (select json_agg(json_build_object('order_line_id', l.order_line_id, 'product_id', l.product_id,
        'offer_id', l.offer_id, 'seller_id', l.seller_id, 'quantity', l.quantity, 'unit_price', l.unit_price,
        'discount', l.discount, 'seller_discount', l.seller_discount, 'tax', l.tax,
        'shop_tax', l.shop_tax) order by l.order_line_id)
        from orders.line l where l.bucket = o.bucket and l.order_id = o.order_id)::text as lines,
    coalesce((select json_agg(json_build_object('reference', h.reference, 'what', h.what, 'at', h.at,
        'detail', h.detail::text) order by h.at, h.reference)
        from orders.history h where h.bucket = o.bucket and h.order_id = o.order_id
            and h.what in ('cancelled', 'returned', 'refunded')), '[]')::text as moves
from unnest(:buckets::smallint[], :order_ids::bigint[]) as a (bucket, order_id)
join orders.orders o using (bucket, order_id)
where o.status <> 'refused';

-- name: orders_after(bucket, order_id, rows_max)
-- Every order in the order of the primary key, which nothing that happens meanwhile changes.
select bucket, order_id from orders.orders
where (bucket, order_id) > (:bucket::smallint, :order_id::bigint) and bucket::int <@ (select buckets from orders.here)
order by bucket, order_id
limit :rows_max;

-- name: paid_back(buckets, order_ids)
-- A cancellation is told by itself.
select l.order_id
from unnest(:buckets::int[], :order_ids::bigint[]) as a (bucket, order_id)
join orders.orders o using (bucket, order_id) join orders.line l using (bucket, order_id)
where o.status <> 'cancelled' group by 1 having bool_and(l.refunded >= l.quantity);

-- name: ended_parts(buckets, order_ids)
select l.order_id, l.seller_id, case when bool_and(l.cancelled = l.quantity) then 'cancelled' else 'delivered' end as status
from unnest(:buckets::int[], :order_ids::bigint[]) as a (bucket, order_id) join orders.line l using (bucket, order_id)
group by 1, 2 having bool_and(l.delivered = l.quantity - l.cancelled);

-- name: own(buckets)
select bucket from unnest(:buckets::int[]) as asked (bucket) join orders.here h on h.buckets @> bucket;

-- name: all_own
-- Nothing of a database that is new: it has been given nothing yet.
select generate_series(lower(r.buckets), upper(r.buckets) - 1) as bucket
from orders.here h, unnest(h.buckets) r (buckets)
where h.shard is not null;

-- name: stands
-- Which version of its row of buckets a database has, and how many they are.
select xmin::text as version, (select coalesce(sum(upper(r) - lower(r)), 0) from unnest(buckets) u (r))::int as buckets
from orders.here;
