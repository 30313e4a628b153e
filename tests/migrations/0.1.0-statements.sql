-- statement: accounts: open
/* mercat.accounts.open */
with opened as (
    insert into accounts.person (user_id, email, name, password, roles)
    values ($1, $2, $3, $4, $5)
    on conflict (lower(email)) do nothing
    returning user_id, email, name
)
select user_id, events.tell('AccountOpened', jsonb_build_object('event', 'AccountOpened', 'user_id', user_id,
    'email', email, 'name', name)) as told
from opened;
-- statement: accounts: by_email
/* mercat.accounts.by_email */
select user_id, email, name, password, roles, seller_id from accounts.person where lower(email) = lower($1);
-- statement: accounts: claim
/* mercat.accounts.claim */
insert into accounts.claimed (guest_id, user_id) values ($1, $2) on conflict do nothing;
-- statement: accounts: was_claimed
/* mercat.accounts.was_claimed */
select exists (select from accounts.claimed where guest_id = $1);
-- statement: accounts: guests_of
/* mercat.accounts.guests_of */
select guest_id from accounts.claimed where user_id = $1 order by guest_id;
-- statement: accounts: grant
/* mercat.accounts.grant */
update accounts.person
set roles = case when $2 = any (roles) then roles else roles || $2 end, seller_id = coalesce($3, seller_id)
where user_id = $1
returning user_id, email, name, roles, seller_id;
-- statement: accounts: add_addresses
/* mercat.accounts.add_addresses */
insert into accounts.address (user_id, address_id, name, line1, line2, city, region, postal_code, country, phone)
select u, a, n, l1, l2, c, r, p, co, ph
from (
    select *, row_number() over (partition by u order by a) as nth
    from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::text[], $10::text[]) as x (u, a, n, l1, l2, c, r, p, co, ph)
) as asked
where (select count(*) from accounts.address b where b.user_id = u) + nth <= 50
returning address_id;
-- statement: accounts: addresses
/* mercat.accounts.addresses */
select address_id, name, line1, line2, city, region, postal_code, country, phone
from accounts.address
where user_id = $1 or user_id in (select guest_id from accounts.claimed where user_id = $1)
order by address_id;
-- statement: accounts: add_payment_methods
/* mercat.accounts.add_payment_methods */
insert into accounts.payment_method (user_id, payment_method_id, token, brand, last4, once)
select u, p, t, b, l, o
from (
    select *, row_number() over (partition by u, o order by p) as nth
    from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::boolean[]) as x (u, p, t, b, l, o)
) as asked
where o or (select count(*) from accounts.payment_method m where m.user_id = u and not m.once) + nth <= 50
returning payment_method_id;
-- statement: accounts: payment_methods
/* mercat.accounts.payment_methods */
select payment_method_id, token, brand, last4 from accounts.payment_method
where not once and (user_id = $1 or user_id in (select guest_id from accounts.claimed where user_id = $1))
order by payment_method_id;
-- statement: accounts: ways
/* mercat.accounts.ways */
-- Where it goes and how it is paid, for many people at once; what is another's is not there.
select k.n::int, a.address_id, a.name, a.line1, a.line2, a.city, a.region, a.postal_code, a.country, a.phone,
    m.payment_method_id, m.token
from unnest($1::bigint[], $2::bigint[], $3::bigint[]) with ordinality as k (user_id, address_id, method_id, n)
left join accounts.address a on a.user_id = k.user_id and a.address_id = k.address_id
left join accounts.payment_method m on m.user_id = k.user_id and m.payment_method_id = k.method_id;
-- statement: accounts: claimed_ways
/* mercat.accounts.claimed_ways */
select a.address_id, a.name, a.line1, a.line2, a.city, a.region, a.postal_code, a.country, a.phone
from accounts.address a
where a.address_id = $2
    and (a.user_id = $1 or a.user_id in (select guest_id from accounts.claimed where user_id = $1));
-- statement: accounts: claimed_method
/* mercat.accounts.claimed_method */
select payment_method_id, token from accounts.payment_method
where payment_method_id = $2
    and (user_id = $1 or user_id in (select guest_id from accounts.claimed where user_id = $1));
-- statement: catalog: categories
/* mercat.catalog.categories */
select category_id, slug, name, parent_id, slugs, names from catalog.category order by names;
-- statement: catalog: add_categories
/* mercat.catalog.add_categories */
insert into catalog.category (category_id, slug, name, parent_id, slugs, names)
select i, s, n, p, string_to_array(ss, '/'), string_to_array(ns, E'\x1f')
from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[]) as c (i, s, n, p, ss, ns)
on conflict do nothing;
-- statement: catalog: known
/* mercat.catalog.known */
select p.external_id, p.product_id, p.content,
    array(select k.key from catalog.sku k where k.product_id = p.product_id) as keys
from catalog.product p
where p.seller_id = $1 and p.external_id = any($2::text[]);
-- statement: catalog: lock
/* mercat.catalog.lock */
-- Whoever changes products or their offers locks the products first, in this order.
select product_id from catalog.product where product_id = any($1::bigint[]) order by product_id for update;
-- statement: catalog: stage
/* mercat.catalog.stage */
-- Rows of an import wait here for the statements that take them in.
create temporary table if not exists staged_product (
    product_id bigint, seller_id bigint, external_id text, title text, description text, category_id bigint,
    brand text, attributes text, options text, tags text[], images text, rating float8, review_count int,
    histogram int[], popularity int, content bytea, created_at timestamptz
) on commit delete rows;
-- statement: catalog: stage_offers
/* mercat.catalog.stage_offers */
create temporary table if not exists staged_offer (
    offer_id bigint, sku_id bigint, seller_id bigint, seller_name text, external_id text, key text, place int, options text,
    price bigint, currency text, status text, in_stock boolean, stock_version int
) on commit delete rows;
-- statement: catalog: take_products
/* mercat.catalog.take_products */
insert into catalog.product as p (product_id, seller_id, external_id, title, description, category_id, brand,
    attributes, options, tags, images, rating, review_count, histogram, popularity, content, created_at)
select product_id, seller_id, external_id, title, description, category_id, brand, attributes::jsonb,
    options::jsonb, tags, images::jsonb, rating, review_count, histogram, popularity, content, created_at
from staged_product
order by external_id
on conflict (seller_id, external_id) do update set title = excluded.title, description = excluded.description,
    category_id = excluded.category_id, brand = excluded.brand, attributes = excluded.attributes,
    options = excluded.options, tags = excluded.tags, images = excluded.images,
    rating = case when p.rating_version = 0 then excluded.rating else p.rating end,
    review_count = case when p.rating_version = 0 then excluded.review_count else p.review_count end,
    histogram = case when p.rating_version = 0 then excluded.histogram else p.histogram end,
    popularity = excluded.popularity, content = excluded.content
    where p.content is distinct from excluded.content
returning product_id;
-- statement: catalog: take_skus
/* mercat.catalog.take_skus */
insert into catalog.sku as k (sku_id, product_id, key, place, options)
select s.sku_id, p.product_id, s.key, s.place, s.options::jsonb
from staged_offer s join catalog.product p on p.seller_id = s.seller_id and p.external_id = s.external_id
where p.product_id = any($1::bigint[])
order by p.product_id, s.key
on conflict (product_id, key) do update set options = excluded.options, place = excluded.place
    where (k.options, k.place) is distinct from (excluded.options, excluded.place);
-- statement: catalog: take_offers
/* mercat.catalog.take_offers */
-- An offer whose price or status the seller has changed since is theirs: an import leaves it as it is.
insert into catalog.offer as o (offer_id, sku_id, product_id, seller_id, seller_name, price, currency, status, in_stock,
    stock_version)
select s.offer_id, k.sku_id, p.product_id, s.seller_id, s.seller_name, s.price, s.currency, s.status, s.in_stock,
    s.stock_version
from staged_offer s
join catalog.product p on p.seller_id = s.seller_id and p.external_id = s.external_id
join catalog.sku k on k.product_id = p.product_id and k.key = s.key
where p.product_id = any($1::bigint[])
order by s.offer_id
on conflict (sku_id, seller_id) do update set price = excluded.price, currency = excluded.currency,
    status = excluded.status
    where not o.by_hand and excluded.price > 0;
-- statement: catalog: tell
/* mercat.catalog.tell */
-- Raises the version of these products and tells each of them whole, once.
with locked as materialized (
    select product_id from catalog.product where product_id = any($1::bigint[]) order by product_id for update
), raised as (
    update catalog.product p set version = p.version + 1 from locked l where p.product_id = l.product_id
    returning p.*
)
select count(events.tell_json('ProductChanged', jsonb_build_object('event', 'ProductChanged',
    'product_id', r.product_id, 'version', r.version, 'document', catalog.document(r::catalog.product))::text)) as told
from raised r;
-- statement: catalog: add_product
/* mercat.catalog.add_product */
insert into catalog.product (product_id, seller_id, external_id, title, description, category_id, brand, attributes,
    options, tags, images, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9::jsonb, $10, $11::jsonb, $12);
-- statement: catalog: add_sku
/* mercat.catalog.add_sku */
insert into catalog.sku (sku_id, product_id, key, options) values ($1, $2, '', '{}');
-- statement: catalog: add_offer
/* mercat.catalog.add_offer */
insert into catalog.offer (offer_id, sku_id, product_id, seller_id, seller_name, price, currency, status, in_stock)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9);
-- statement: catalog: change_offer
/* mercat.catalog.change_offer */
update catalog.offer set price = $2, status = $3, currency = $4, by_hand = true where offer_id = $1;
-- statement: catalog: own_product
/* mercat.catalog.own_product */
select title, description, category_id, brand, attributes::text, images::text
from catalog.product where product_id = $1 and seller_id = $2
for update;
-- statement: catalog: listing
/* mercat.catalog.listing */
select p.title, p.description, c.slug as category, p.brand, p.attributes::text, p.images::text
from catalog.product p join catalog.category c using (category_id)
where p.product_id = $1 and p.seller_id = $2;
-- statement: catalog: change_product
/* mercat.catalog.change_product */
update catalog.product set title = $2, description = $3, category_id = $4, brand = $5, attributes = $6::jsonb,
    images = $7::jsonb
where product_id = $1 and (title, description, category_id, brand, attributes, images)
    is distinct from ($2, $3, $4, $5, $6::jsonb, $7::jsonb)
returning true;
-- statement: catalog: lock_of_offer
/* mercat.catalog.lock_of_offer */
select product_id from catalog.product
where product_id = (select product_id from catalog.offer where offer_id = $1 and seller_id = $2)
for update;
-- statement: catalog: offers
/* mercat.catalog.offers */
select o.offer_id, o.product_id, o.sku_id, o.seller_id, o.seller_name, p.title, k.options::text, o.price, o.currency,
    o.status, o.in_stock, coalesce(p.images -> 0 ->> 'url', '') as image_url
from catalog.offer o join catalog.product p on p.product_id = o.product_id join catalog.sku k on k.sku_id = o.sku_id
where o.offer_id = any($1::bigint[]);
-- statement: catalog: of_seller
/* mercat.catalog.of_seller */
select o.offer_id, o.product_id, o.sku_id, o.seller_id, o.seller_name, p.title, k.options::text, o.price, o.currency,
    o.status, o.in_stock, coalesce(p.images -> 0 ->> 'url', '') as image_url
from catalog.offer o join catalog.product p on p.product_id = o.product_id join catalog.sku k on k.sku_id = o.sku_id
where o.seller_id = $1 and ($3::text is null or o.status = $3)
    and not exists (select from unnest($4::text[]) word where strpos(lower(p.title), word) = 0)
    and ($2::bigint is null or o.offer_id < $2)
order by o.offer_id desc
limit $5;
-- statement: catalog: of_seller_by_price
/* mercat.catalog.of_seller_by_price */
-- `$6`: 1 with the cheapest first, -1 with the dearest.
select o.offer_id, o.product_id, o.sku_id, o.seller_id, o.seller_name, p.title, k.options::text, o.price, o.currency,
    o.status, o.in_stock, coalesce(p.images -> 0 ->> 'url', '') as image_url
from catalog.offer o join catalog.product p on p.product_id = o.product_id join catalog.sku k on k.sku_id = o.sku_id
where o.seller_id = $1 and ($3::text is null or o.status = $3)
    and not exists (select from unnest($4::text[]) word where strpos(lower(p.title), word) = 0)
    and ($2::bigint is null or (o.price * $6::bigint, o.offer_id) > (
        select last.price * $6::bigint, last.offer_id from catalog.offer last where last.offer_id = $2))
order by o.price * $6::bigint, o.offer_id
limit $5;
-- statement: catalog: featured
/* mercat.catalog.featured */
select (catalog.featured($1::bigint)).offer_id;
-- statement: catalog: product
/* mercat.catalog.product */
select p.product_id, p.external_id, p.title, p.description, p.brand, p.attributes::text, p.options::text, p.tags,
    p.images::text, p.rating, p.review_count, p.histogram, p.created_at, p.version, c.slug as category,
    c.slugs, c.names, (catalog.featured(p.product_id)).offer_id as featured,
    (select json_agg(json_build_object('sku_id', k.sku_id, 'options', k.options, 'offers', (
        select coalesce(json_agg(json_build_object('offer_id', o.offer_id, 'sku_id', o.sku_id, 'price', o.price,
            'currency', o.currency, 'in_stock', o.in_stock, 'seller_id', o.seller_id, 'seller_name', o.seller_name)
            order by o.in_stock desc, o.price, o.offer_id), '[]')
        from catalog.offer o where o.sku_id = k.sku_id and o.status = 'active')) order by k.place, k.sku_id)
    from catalog.sku k where k.product_id = p.product_id)::text as variants
from catalog.product p join catalog.category c using (category_id)
where p.product_id = $1;
-- statement: catalog: cards
/* mercat.catalog.cards */
select p.product_id, catalog.document(p)::text as document from catalog.product p where p.product_id = any($1::bigint[]);
-- statement: catalog: documents
/* mercat.catalog.documents */
select p.product_id, p.version, catalog.document(p)::text as document
from catalog.product p where p.product_id > $1 order by p.product_id limit $2;
-- statement: catalog: stock_changed
/* mercat.catalog.stock_changed */
-- Offers whose stock state turned, by facts newer than what they know.
with fresh as materialized (
    select o.offer_id, o.product_id, s.version, s.available > 0 as in_stock
    from unnest($1::bigint[], $2::int[], $3::int[]) as s (offer_id, version, available)
    join catalog.offer o using (offer_id)
    where o.stock_version < s.version
), locked as materialized (
    select product_id from catalog.product where product_id in (select product_id from fresh)
    order by product_id for update
), changed as (
    update catalog.offer o set in_stock = f.in_stock, stock_version = f.version
    from fresh f
    where o.offer_id = f.offer_id and o.stock_version < f.version and (select count(*) from locked) > 0
    returning o.product_id, old.in_stock as before, new.in_stock as now
)
select distinct product_id from changed where before <> now;
-- statement: catalog: rating_changed
/* mercat.catalog.rating_changed */
with locked as materialized (
    select product_id from catalog.product where product_id = any($1::bigint[]) order by product_id for update
)
update catalog.product p set rating = r.rating, review_count = r.reviews, rating_version = r.version,
    histogram = string_to_array(r.histogram, ',')::int[]
from unnest($1::bigint[], $2::int[], $3::float8[], $4::int[], $5::text[]) as r (product_id, version, rating, reviews,
    histogram)
where p.product_id = r.product_id and p.rating_version < r.version and (select count(*) from locked) > 0
returning p.product_id;
-- statement: catalog: histograms
/* mercat.catalog.histograms */
select product_id, histogram from catalog.product where product_id > $1 and review_count > 0 order by product_id limit $2;
-- statement: sellers: register
/* mercat.sellers.register */
-- Once a person and once a name: the same again is the same seller.
with registered as (
    insert into sellers.seller (seller_id, user_id, name) values ($1, $2, $3)
    on conflict do nothing
    returning seller_id, user_id, name
)
select seller_id, case when user_id is not null then events.tell('SellerRegistered', jsonb_build_object(
    'event', 'SellerRegistered', 'seller_id', seller_id, 'user_id', user_id, 'name', name)) end as told
from registered;
-- statement: sellers: of_user
/* mercat.sellers.of_user */
select seller_id, user_id, name, status, since from sellers.seller where user_id = $1;
-- statement: sellers: by_name
/* mercat.sellers.by_name */
select seller_id, user_id, name, status, since from sellers.seller where lower(name) = lower($1);
-- statement: sellers: adopt
/* mercat.sellers.adopt */
with adopted as (
    update sellers.seller set user_id = $2
    where seller_id = $1 and user_id is null
        and not exists (select from sellers.seller other where other.user_id = $2)
    returning seller_id, user_id, name
)
select seller_id, events.tell('SellerRegistered', jsonb_build_object(
    'event', 'SellerRegistered', 'seller_id', seller_id, 'user_id', user_id, 'name', name)) as told
from adopted;
-- statement: sellers: sellers
/* mercat.sellers.sellers */
select seller_id, user_id, name, status, since from sellers.seller where seller_id = any($1::bigint[]);
-- statement: inventory: look
/* mercat.inventory.look */
-- What the asked offers have, where, and at which version. Decides nothing by itself.
select offer_id, location_id, on_hand - reserved - safety as available, version
from inventory.stock where offer_id = any($1::bigint[]);
-- statement: inventory: stock
/* mercat.inventory.stock */
select offer_id, sum(on_hand)::int as on_hand, sum(reserved)::int as reserved,
    greatest(sum(on_hand - reserved - safety), 0)::int as available, sum(version)::int as version
from inventory.stock where offer_id = any($1::bigint[]) group by offer_id;
-- statement: inventory: answers
/* mercat.inventory.answers */
-- What these checkouts were told before.
select checkout_id, state, refusal::text from inventory.reservation where checkout_id = any($1::bigint[]);
-- statement: inventory: reserve
/* mercat.inventory.reserve */
-- The brief's optimistic lock, once a batch: rows are locked in one sorted order, and one whose version moved
-- or whose availability fell is lost; asks that touch a lost row are not placed and come back as `lost`.
-- $1-$4 a row touched: offer, location, version read, units wanted. $5-$9 an ask: checkout, offers, locations,
-- quantities (array literals), refusal (null: placed).
with touched as materialized (
    select s.offer_id, s.location_id,
        s.version = w.version and s.on_hand - s.reserved - s.safety >= w.units as held
    from unnest($1::bigint[], $2::bigint[], $3::int[], $4::int[]) as w (offer_id, location_id, version, units)
    join inventory.stock s on s.offer_id = w.offer_id and s.location_id = w.location_id
    order by s.offer_id, s.location_id
    for update of s
), lost as materialized (
    select coalesce(array_agg(offer_id) filter (where not held), '{}') as offers from touched
), ask as materialized (
    select a.checkout_id, a.offers::bigint[], a.locations::bigint[], a.quantities::int[], a.refusal::jsonb,
        a.leaned::bigint[]
    from unnest($5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
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
        'version', version, 'available', available, 'low', available <= low_mark))
    from taken where (available <= 0 or available <= low_mark) and available + units > low_mark
        or available <= 0 and available + units > 0
)
select checkout_id, (select count(*) from crossed) as told from placed;
-- statement: inventory: confirm
/* mercat.inventory.confirm */
-- Sold: what was held leaves the shelf. Availability stays as it was, and so does the version.
with asked as materialized (
    select r.checkout_id, r.state
    from inventory.reservation r
    where r.checkout_id = any($1::bigint[])
    order by r.checkout_id
    for update
), sold as (
    update inventory.reservation r set state = 'sold'
    where r.checkout_id = any($1::bigint[]) and r.state = 'held' and (select count(*) from asked) >= 0
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
-- statement: inventory: release
/* mercat.inventory.release */
-- Undo: what was held is free again; where nothing was, a tombstone makes a late reserve refused.
with buried as (
    insert into inventory.reservation (checkout_id, state, offer_ids, location_ids, quantities)
    select c, 'released', '{}', '{}', '{}' from unnest($1::bigint[]) c order by c
    on conflict do nothing
    returning checkout_id
), freed as (
    update inventory.reservation r set state = 'released'
    from (
        select checkout_id from inventory.reservation
        where checkout_id = any($1::bigint[]) and state = 'held'
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
-- statement: inventory: receive
/* mercat.inventory.receive */
-- Goods come in (or come back): once a reference. $4: the seller they belong to.
with act as (
    insert into inventory.movement (kind, reference, offer_ids, location_ids, quantities)
    select $1, $2, $3::bigint[], array_fill(1::bigint, array[cardinality($3::bigint[])]), $4::int[]
    on conflict do nothing
    returning offer_ids, quantities
), item as (
    select u.offer_id, sum(u.quantity)::int as quantity
    from act, unnest(act.offer_ids, act.quantities) as u (offer_id, quantity) group by 1 order by 1
), shelved as (
    insert into inventory.stock as s (offer_id, on_hand, seller_id)
    select offer_id, quantity, $5::bigint from item order by offer_id
    on conflict (offer_id, location_id) do update
        set on_hand = s.on_hand + excluded.on_hand, version = s.version + 1
    returning s.offer_id, s.version, s.low_mark, new.on_hand - new.reserved - new.safety as available,
        coalesce(old.on_hand - old.reserved - old.safety, 0) as before
)
select count(events.tell('StockChanged', jsonb_build_object('event', 'StockChanged', 'offer_id', offer_id,
    'version', version, 'available', available, 'low', available <= low_mark))) as told
from shelved where available > 0 and before <= 0;
-- statement: inventory: count
/* mercat.inventory.count */
-- A seller's count of one shelf, if it is theirs and still at the version they saw.
with shelf as (
    select offer_id, location_id, on_hand, version from inventory.stock
    where offer_id = $1 and location_id = 1 and seller_id = $2 and version = $4 and reserved <= $3
    for update
), counted as (
    update inventory.stock s set on_hand = $3, version = s.version + 1
    from shelf where s.offer_id = shelf.offer_id and s.location_id = shelf.location_id
    returning s.*, s.on_hand - s.reserved - s.safety as available, shelf.on_hand as before
), moved as (
    insert into inventory.movement (kind, reference, offer_ids, location_ids, quantities)
    select 'counted', offer_id || '/' || version, array[offer_id], array[location_id], array[on_hand - before]
    from counted
), told as (
    select events.tell('StockChanged', jsonb_build_object('event', 'StockChanged', 'offer_id', offer_id,
        'version', version, 'available', available, 'low', available <= low_mark))
    from counted
    where (available > 0) <> (before - reserved - safety > 0)
        or (available <= low_mark) <> (before - reserved - safety <= low_mark)
)
select offer_id, on_hand, reserved, greatest(available, 0) as available, version,
    (select count(*) from told) as told
from counted;
-- statement: inventory: owned
/* mercat.inventory.owned */
select offer_id, on_hand, reserved, greatest(on_hand - reserved - safety, 0) as available, version
from inventory.stock where offer_id = any($1::bigint[]) and seller_id = $2 and location_id = 1;
-- statement: payments: record_many
/* mercat.payments.record_many */
-- What the provider said of each charge, with its journal entry; an answer that stands already is the answer.
with asked as materialized (
    select distinct on (checkout_id) * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::text[])
        as a (payment_id, checkout_id, order_id, amount, currency, status, reason, parts, accounts, amounts)
), recorded as (
    insert into payments.payment as p
        (payment_id, checkout_id, order_id, amount, currency, status, reason, parts)
    select payment_id, checkout_id, order_id, amount, currency, status, reason, parts::json
    from asked order by checkout_id
    on conflict (checkout_id) do update set status = excluded.status, reason = excluded.reason
        where p.status = 'action_required' and excluded.status <> 'action_required'
    returning payment_id, checkout_id, status
), booked as (
    insert into payments.entry (kind, reference, currency, accounts, amounts)
    select 'capture', a.checkout_id, a.currency, a.accounts::text[], a.amounts::bigint[]
    from asked a where a.status = 'captured' and a.checkout_id = any (array(select checkout_id from recorded))
)
select checkout_id, payment_id, status from recorded;
-- statement: payments: customer_of
/* mercat.payments.customer_of */
select customer from payments.customer where user_id = $1;
-- statement: payments: keep_customer
/* mercat.payments.keep_customer */
-- Who was there first stays, but for the one that was lost.
insert into payments.customer as c (user_id, customer) values ($1, $2)
on conflict (user_id) do update set customer = case when c.customer = $3 then excluded.customer else c.customer end
returning customer;
-- statement: payments: keep_card
/* mercat.payments.keep_card */
insert into payments.card (token, user_id, customer) values ($1, $2, $3)
on conflict (token) do update set user_id = excluded.user_id, customer = excluded.customer;
-- statement: payments: of_checkouts
/* mercat.payments.of_checkouts */
select payment_id, checkout_id, order_id, amount, refunded, currency, status, reason
from payments.payment where checkout_id = any($1::bigint[]);
-- statement: payments: bury
/* mercat.payments.bury */
-- A tombstone where nothing was charged yet: a charge that comes later is undone.
insert into payments.payment (payment_id, checkout_id, order_id, amount, currency, status)
values ($1, $2, $3, 0, $4, 'void')
on conflict (checkout_id) do nothing;
-- statement: payments: abandon
/* mercat.payments.abandon */
update payments.payment set status = 'void'
where checkout_id = $1 and status in ('action_required', 'declined');
-- statement: payments: found_charged
/* mercat.payments.found_charged */
-- The provider had charged what we had given up: it is booked, so that it can be refunded.
with found as (
    update payments.payment set status = 'captured', amount = $2, parts = '{}'
    where checkout_id = $1 and status in ('void', 'action_required')
    returning checkout_id, currency
)
insert into payments.entry (kind, reference, currency, accounts, amounts)
select 'capture', checkout_id, currency, array['provider', 'shopper'], array[$2::bigint, -$2::bigint] from found;
-- statement: payments: lock_payment
/* mercat.payments.lock_payment */
select p.payment_id, p.checkout_id, p.order_id, p.amount, p.refunded, p.currency, p.status, p.parts::text,
    e.accounts, e.amounts
from payments.payment p left join payments.entry e on e.reference = p.checkout_id and e.kind = 'capture'
where p.payment_id = $1 for update of p;
-- statement: payments: refund_known
/* mercat.payments.refund_known */
select refund_id, payment_id, amount, status from payments.refund where reference = $1;
-- statement: payments: given_back
/* mercat.payments.given_back */
select parts::text from payments.refund where payment_id = $1;
-- statement: payments: begin_refund
/* mercat.payments.begin_refund */
-- Counts the refund against the capture, whose constraint refuses what was not captured, and books it as owed.
with counted as (
    update payments.payment set refunded = refunded + $4 where payment_id = $2 and status = 'captured'
    returning payment_id, currency
), booked as (
    insert into payments.entry (kind, reference, currency, accounts, amounts)
    select 'refund', $1, currency, $6::text[], $7::bigint[] from counted
)
insert into payments.refund (refund_id, payment_id, reference, amount, status, parts)
select $1, payment_id, $3, $4, 'pending', $5::json from counted
returning refund_id;
-- statement: payments: finish_refund
/* mercat.payments.finish_refund */
with done as (
    update payments.refund set status = 'done' where refund_id = $1 and status = 'pending' returning refund_id
)
insert into payments.entry (kind, reference, currency, accounts, amounts)
select 'paid_back', refund_id, $2, $3::text[], $4::bigint[] from done;
-- statement: payments: fail_refund
/* mercat.payments.fail_refund */
-- The bank could not pay it back: it is owed again, and what was booked as paid has come back to us. Twice is once.
with failed as (
    update payments.refund set status = 'failed' where refund_id = $1 and status <> 'failed'
    returning refund_id, payment_id, amount, old.status as before
)
insert into payments.entry (kind, reference, currency, accounts, amounts)
select 'came_back', f.refund_id, p.currency, $2::text[], array[f.amount, -f.amount]
from failed f join payments.payment p using (payment_id) where f.before = 'done';
-- statement: payments: refund_of
/* mercat.payments.refund_of */
select p.order_id, p.currency, r.amount from payments.refund r join payments.payment p using (payment_id)
where r.refund_id = $1;
-- statement: payments: reconcile_due
/* mercat.payments.reconcile_due */
-- Whether it is time again; whoever is told so does it.
update payments.reconciled set at = $1 where at <= $1::timestamptz - $2::interval returning at;
-- statement: payments: reconcile_again
/* mercat.payments.reconcile_again */
update payments.reconciled set at = $1;
-- statement: payments: of_order
/* mercat.payments.of_order */
select p.payment_id, case when p.status <> 'captured' or p.refunded - f.failed = 0 then p.status
        when p.refunded - f.failed < p.amount then 'partially_refunded' else 'refunded' end as status, p.amount, p.refunded, p.currency, p.at,
    coalesce((select json_agg(json_build_object('refund_id', r.refund_id, 'amount', r.amount, 'status', r.status)
        order by r.refund_id) from payments.refund r where r.payment_id = p.payment_id), '[]')::text as refunds
from payments.payment p cross join lateral (
    select coalesce(sum(r.amount), 0)::bigint as failed from payments.refund r
    where r.payment_id = p.payment_id and r.status = 'failed'
) f
where p.order_id = $1 and p.status in ('captured', 'action_required')
order by p.payment_id;
-- statement: payments: captured
/* mercat.payments.captured */
select payment_id from payments.payment where order_id = $1 and status = 'captured';
-- statement: payments: trial_balance
/* mercat.payments.trial_balance */
select case when $1 and account like 'seller:%' then 'sellers' else account end as account, currency,
    sum(amount)::bigint as balance, count(*) as postings
from payments.entry, unnest(accounts, amounts) as u (account, amount)
group by 1, currency order by 1, currency;
-- statement: payments: waiting_too_long
/* mercat.payments.waiting_too_long */
-- Authorisations and challenges that nobody came back for.
select checkout_id, order_id from payments.payment where status = 'action_required' and at < $1 order by at limit $2;
-- statement: payments: attempt_many
/* mercat.payments.attempt_many */
-- Written before the provider is asked; what stands already is the answer.
with asked as materialized (
    select a.checkout_id, a.ask, a.at, coalesce(c.customer, '') as customer
    from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::text[], $5::bigint[])
        as a (checkout_id, ask, at, token, user_id)
    left join payments.card c on c.token = a.token and c.user_id = a.user_id
), begun as (
    insert into payments.attempt (checkout_id, ask, customer, at)
    select checkout_id, ask::json, customer, at from asked order by checkout_id
    on conflict do nothing
)
select a.checkout_id, coalesce(k.reference, '') as reference, coalesce(k.customer, a.customer) as customer, p.payment_id, p.status, p.reason,
    k.checkout_id is not null as again
from asked a
left join payments.attempt k on k.checkout_id = a.checkout_id
left join payments.payment p on p.checkout_id = a.checkout_id;
-- statement: payments: refer_many
/* mercat.payments.refer_many */
update payments.attempt t set reference = a.reference
from unnest($1::bigint[], $2::text[]) as a (checkout_id, reference) where t.checkout_id = a.checkout_id;
-- statement: payments: attempts
/* mercat.payments.attempts */
select checkout_id, ask::text, customer, reference from payments.attempt where checkout_id = any($1::bigint[]);
-- statement: payments: attempts_left
/* mercat.payments.attempts_left */
select t.checkout_id, p.order_id, p.status, t.ask::text
from payments.attempt t left join payments.payment p using (checkout_id)
where t.open and t.at < $1 order by t.at limit $2;
-- statement: payments: close_attempt
/* mercat.payments.close_attempt */
update payments.attempt set open = false where checkout_id = $1;
-- statement: payments: hear
/* mercat.payments.hear */
insert into payments.notice (provider, event_id, kind, checkout_id, at) values ($1, $2, $3, $4, $5)
on conflict (provider, event_id) do update set tries = payments.notice.tries + 1
returning done_at is not null as done, tries;
-- statement: payments: heard
/* mercat.payments.heard */
update payments.notice set done_at = $3 where provider = $1 and event_id = $2 and done_at is null;
-- statement: payments: unheard
/* mercat.payments.unheard */
update payments.notice n set tries = n.tries + 1
from (
    select provider, event_id from payments.notice where done_at is null and at < $1
    order by at limit 50 for update skip locked
) open
where n.provider = open.provider and n.event_id = open.event_id
returning n.provider, n.event_id, n.checkout_id, n.tries;
-- statement: payments: forget_notices
/* mercat.payments.forget_notices */
delete from payments.notice where at < $1;
-- statement: payments: ours
/* mercat.payments.ours */
select checkout_id, order_id, status, amount, currency,
    (select coalesce(sum(r.amount), 0) from payments.refund r where r.payment_id = p.payment_id and r.status = 'done')
        ::bigint as refunded,
    exists (select from payments.refund r where r.payment_id = p.payment_id and r.status = 'pending') as paying_back
from payments.payment p where checkout_id = any($1::bigint[]);
-- statement: payments: ours_captured
/* mercat.payments.ours_captured */
select checkout_id, order_id, amount, refunded, currency from payments.payment
where status = 'captured' and checkout_id >= $1 and checkout_id < $2 order by checkout_id limit $3;
-- statement: payments: open_case
/* mercat.payments.open_case */
insert into payments.matter as m (case_id, provider, kind, subject, order_id, ours, theirs, currency, detail, opened_at, seen_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
on conflict (provider, kind, subject) where resolved_at is null
do update set ours = excluded.ours, theirs = excluded.theirs, detail = excluded.detail, seen_at = excluded.seen_at
returning case_id, (xmax = 0) as fresh;
-- statement: payments: cases
/* mercat.payments.cases */
select case_id, provider, kind, subject, order_id, ours, theirs, currency, detail, opened_at, seen_at, resolved_at,
    coalesce(resolved_by, '') as resolved_by, coalesce(note, '') as note
from payments.matter where (resolved_at is null) = $1 and case_id < $2 order by case_id desc limit $3;
-- statement: payments: resolve
/* mercat.payments.resolve */
update payments.matter set resolved_at = $2, resolved_by = $3, note = $4
where case_id = $1 and resolved_at is null returning case_id;
-- statement: payments: sandbox_charge
/* mercat.payments.sandbox_charge */
with asked as materialized (
    select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[])
        as a (key, amount, currency, token, state)
), made as (
    insert into payments.sandbox_charge (key, amount, currency, token, state)
    select * from asked order by key
    on conflict do nothing
    returning key, state
)
select key, state from made;
-- statement: payments: sandbox_look
/* mercat.payments.sandbox_look */
select key, state, amount, refunded from payments.sandbox_charge where key = any($1::bigint[]);
-- statement: payments: sandbox_answer
/* mercat.payments.sandbox_answer */
update payments.sandbox_charge set state = case when $2 then 'authorised' else 'declined' end
where key = $1 and state = 'challenged' returning state;
-- statement: payments: sandbox_capture
/* mercat.payments.sandbox_capture */
update payments.sandbox_charge set state = 'charged' where key = $1 and state = 'authorised';
-- statement: payments: sandbox_cancel
/* mercat.payments.sandbox_cancel */
-- A charge under this key will not be made any more; what was charged stays charged.
insert into payments.sandbox_charge as c (key, amount, currency, token, state) values ($1, 0, $2, '', 'cancelled')
on conflict (key) do update
    set state = case when c.state in ('challenged', 'authorised') then 'cancelled' else c.state end
returning state, amount;
-- statement: payments: sandbox_listed
/* mercat.payments.sandbox_listed */
select key, state, amount, refunded, currency from payments.sandbox_charge
where key >= $1 and key < $2 order by key limit $3;
-- statement: payments: sandbox_fail_refund
/* mercat.payments.sandbox_fail_refund */
-- The card could not be paid back: the money is with the shop again.
with failed as (delete from payments.sandbox_refund where key = $1 returning charge, amount)
update payments.sandbox_charge c set refunded = c.refunded - failed.amount from failed where c.key = failed.charge;
-- statement: payments: sandbox_refund
/* mercat.payments.sandbox_refund */
-- The key first: who comes second with it finds it taken, and gives nothing back again.
with made as (
    insert into payments.sandbox_refund (key, charge, amount)
    select $1, c.key, $3 from payments.sandbox_charge c where c.key = $2 and c.state = 'charged'
    on conflict do nothing
    returning charge, amount
)
update payments.sandbox_charge c set refunded = c.refunded + made.amount from made where c.key = made.charge;
-- statement: orders: create_many
/* mercat.orders.create_many */
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
-- statement: orders: states
/* mercat.orders.states */
select order_id, status from orders.orders where (bucket, order_id) in (select * from unnest($1::smallint[], $2::bigint[]));
-- statement: orders: refuse
/* mercat.orders.refuse */
with buried as (
    insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, placed_at)
    values ($1, $2, $3, $4, $5, 'refused', $6)
    on conflict do nothing
    returning status
)
select status from buried
union all
select status from orders.orders where bucket = $1 and order_id = $2 and not exists (select from buried);
-- statement: orders: order
/* mercat.orders.order */
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
-- statement: orders: list_of
/* mercat.orders.list_of */
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
-- statement: orders: count_of
/* mercat.orders.count_of */
select count(*) from orders.orders
where bucket = any($1::smallint[]) and user_id = any($2::bigint[]) and status <> 'refused';
-- statement: orders: newest
/* mercat.orders.newest */
select o.order_id, o.status, o.total, o.currency, o.placed_at as created_at, 0 as item_count, '' as title, '' as image_url
from orders.orders o
where o.status <> 'refused' and o.order_id < $1 and ($3::text is null or o.status = $3)
order by o.order_id desc
limit $2;
-- statement: orders: newest_of_seldom
/* mercat.orders.newest_of_seldom */
select o.order_id, o.status, o.total, o.currency, o.placed_at as created_at, 0 as item_count, '' as title, '' as image_url
from orders.orders o
where o.status in ('partially_shipped', 'shipped', 'cancelled') and o.order_id < $1 and o.status = $3::text
order by o.order_id desc
limit $2;
-- statement: orders: cancel
/* mercat.orders.cancel */
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
-- statement: orders: lock
/* mercat.orders.lock */
select status, user_id, currency, subtotal, discount, case when prices_include_tax then 0 else tax end as tax
from orders.orders where bucket = $1 and order_id = $2 and status <> 'refused' for update;
-- statement: orders: happened
/* mercat.orders.happened */
select detail::text, what = 'withdrawn' as withdrawn
from orders.history where bucket = $1 and order_id = $2 and reference = $3;
-- statement: orders: lines
/* mercat.orders.lines */
select order_line_id, offer_id, seller_id, quantity, shipped, delivered, returned, unit_price
from orders.line where bucket = $1 and order_id = $2 order by order_line_id;
-- statement: orders: set_lines
/* mercat.orders.set_lines */
update orders.line l set shipped = n.shipped, delivered = n.delivered, returned = n.returned
from unnest($3::bigint[], $4::int[], $5::int[], $6::int[]) as n (order_line_id, shipped, delivered, returned)
where l.bucket = $1 and l.order_id = $2 and l.order_line_id = n.order_line_id;
-- statement: orders: set_status
/* mercat.orders.set_status */
update orders.orders set status = $3 where bucket = $1 and order_id = $2;
-- statement: orders: note
/* mercat.orders.note */
insert into orders.history (bucket, order_id, reference, what, who, detail)
values ($1, $2, $3, $4, $5, $6::jsonb) on conflict do nothing;
-- statement: orders: tell_delivered
/* mercat.orders.tell_delivered */
select events.tell('OrderDelivered', jsonb_build_object('event', 'OrderDelivered', 'order_id', $2::bigint,
    'user_id', $3::bigint, 'product_ids', (select jsonb_agg(distinct product_id) from orders.line
        where bucket = $1 and order_id = $2)));
-- statement: cart: keep
/* mercat.cart.keep */
insert into cart.copy as c (user_id, cart_id, lines, seq)
select u, i, l::jsonb, s from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) as a (u, i, l, s)
order by u
on conflict (user_id) do update
    set cart_id = excluded.cart_id, lines = excluded.lines, seq = excluded.seq, at = now()
    where c.seq <= excluded.seq;
-- statement: cart: kept
/* mercat.cart.kept */
select user_id, cart_id, lines::text, seq from cart.copy where user_id = any($1::bigint[]);
-- statement: checkout: begin_many
/* mercat.checkout.begin_many */
-- Those that begin; the others have the key or the cart of another checkout.
with fresh as (
    insert into checkout.checkout (checkout_id, user_id, key, fingerprint, cart_id, record, begun_at, pass)
    select c, u, k, f, t, r::json, b, p
    from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bytea[], $5::bigint[], $6::text[], $7::timestamptz[], $8::text[])
        as a (c, u, k, f, t, r, b, p)
    order by c
    on conflict do nothing
    returning checkout_id, begun_at
)
insert into checkout.running (checkout_id, lease_until, begun_at)
select checkout_id, begun_at + $9::interval, begun_at from fresh
returning checkout_id;
-- statement: checkout: standing
/* mercat.checkout.standing */
-- What stands under these people's keys.
select c.user_id, c.key, c.checkout_id, c.fingerprint, c.record::text, a.status, a.body,
    r.fence, r.lease_until, r.direction, r.reason::text, r.waits_until
from unnest($1::bigint[], $2::text[]) as k (user_id, key)
join checkout.checkout c on c.user_id = k.user_id and c.key = k.key
left join checkout.answer a on a.checkout_id = c.checkout_id
left join checkout.running r on r.checkout_id = c.checkout_id;
-- statement: checkout: of_cart
/* mercat.checkout.of_cart */
select c.checkout_id, c.record::text, a.status from checkout.checkout c
left join checkout.answer a on a.checkout_id = c.checkout_id
where c.cart_id = $1;
-- statement: checkout: take_over
/* mercat.checkout.take_over */
-- The lease of one checkout, if it is free: nobody works on it, or it waits for the shopper.
update checkout.running set fence = fence + 1, lease_until = $2::timestamptz + $3::interval, tries = tries + 1
where checkout_id = $1 and fence = $4 and (lease_until < $2 or waits_until is not null)
returning fence, direction, reason::text, begun_at;
-- statement: checkout: take_over_lapsed
/* mercat.checkout.take_over_lapsed */
-- Checkouts that nobody works on any more: a crash left them, or their shopper walked away.
update checkout.running r set fence = r.fence + 1, lease_until = $1::timestamptz + $2::interval, tries = r.tries + 1
from (
    select checkout_id from checkout.running
    where lease_until < $1 and coalesce(waits_until, '-infinity') < $1 and parked is null
    order by checkout_id limit $3 for update skip locked
) lapsed
join checkout.checkout c on c.checkout_id = lapsed.checkout_id
where r.checkout_id = lapsed.checkout_id
returning r.checkout_id, r.fence, r.direction, r.reason::text, r.waits_until, r.begun_at, r.tries, c.record::text,
    c.user_id, c.key;
-- statement: checkout: decide_many
/* mercat.checkout.decide_many */
-- The direction, once, by whoever holds the fence.
update checkout.running r set direction = a.direction, reason = a.reason::json
from unnest($1::bigint[], $2::int[], $3::text[], $4::text[]) as a (checkout_id, fence, direction, reason)
where r.checkout_id = a.checkout_id and r.fence = a.fence and coalesce(r.direction, a.direction) = a.direction
returning r.checkout_id, r.fence;
-- statement: checkout: turn_back
/* mercat.checkout.turn_back */
-- Forward becomes undo only where the order was refused for good first.
update checkout.running set direction = 'undo', reason = $3::json
where checkout_id = $1 and fence = $2
returning checkout_id;
-- statement: checkout: wait
/* mercat.checkout.wait */
-- It waits for the shopper: no lease, and an end.
update checkout.running set waits_until = coalesce(waits_until, $3), lease_until = $4
where checkout_id = $1 and fence = $2
returning checkout_id;
-- statement: checkout: finish_many
/* mercat.checkout.finish_many */
-- The final answer, by whoever holds the fence; a refusal gives the cart back.
with asked as materialized (
    select * from unnest($1::bigint[], $2::int[], $3::smallint[], $4::bytea[], $5::timestamptz[])
        as a (checkout_id, fence, status, body, at)
), locked as materialized (
    select r.checkout_id from checkout.running r
    where r.checkout_id = any($1::bigint[]) order by r.checkout_id for update
), ended as (
    delete from checkout.running r using asked a
    where r.checkout_id = a.checkout_id and r.fence = a.fence and (select count(*) from locked) >= 0
    returning a.checkout_id, r.fence, a.status, a.body, a.at
), freed as (
    update checkout.checkout set cart_id = null, pass = null
    where checkout_id = any (array(select checkout_id from ended where status <> 201))
), stored as (
    insert into checkout.answer (checkout_id, status, body, at)
    select checkout_id, status, body, at from ended
)
select checkout_id, fence from ended;
-- statement: checkout: answers
/* mercat.checkout.answers */
select checkout_id, status, body from checkout.answer where checkout_id = any($1::bigint[]);
-- statement: checkout: outcomes
/* mercat.checkout.outcomes */
select c.checkout_id, case when c.key = '' then 'never' when a.status = 201 then 'bought'
    when a.status is not null then 'refused' else 'running' end as outcome
from checkout.checkout c left join checkout.answer a on a.checkout_id = c.checkout_id
where c.checkout_id = any($1::bigint[]);
-- statement: checkout: never_begin
/* mercat.checkout.never_begin */
-- A tombstone where nothing has begun: whoever comes late finds the id taken. Nobody else has a key without letters.
with gone as (
    insert into checkout.checkout (checkout_id, user_id, key, fingerprint, record, begun_at)
    select c, c, '', '', '{}', $2 from unnest($1::bigint[]) c order by c
    on conflict do nothing
    returning checkout_id
)
insert into checkout.answer (checkout_id, status, body, at) select checkout_id, 409, '', $2 from gone;
-- statement: checkout: health
/* mercat.checkout.health */
-- How the purchases did that began after $1 (ids carry their time): those we failed, the slow ones, and those
-- that have been running since before $2.
select count(*) as answers, count(*) filter (where status >= 500 or unavailable) as failed,
    coalesce(percentile_cont(0.99) within group (order by took), 0)::float8 as p99_s,
    (select count(*) from checkout.running where begun_at < $2 and waits_until is null and parked is null) as overdue
from (
    select a.status, extract(epoch from a.at - c.begun_at) as took,
        a.status = 402 and position('payment_unavailable' in convert_from(a.body, 'utf8')) > 0 as unavailable
    from checkout.checkout c join checkout.answer a using (checkout_id)
    where c.checkout_id > $1 order by c.checkout_id desc limit 2000
) lately;
-- statement: checkout: by_id
/* mercat.checkout.by_id */
select c.user_id, c.key, c.checkout_id, c.fingerprint, c.record::text, a.status, a.body,
    r.fence, r.lease_until, r.direction, r.reason::text, r.waits_until
from checkout.checkout c
left join checkout.answer a on a.checkout_id = c.checkout_id
left join checkout.running r on r.checkout_id = c.checkout_id
where c.checkout_id = $1;
-- statement: checkout: park
/* mercat.checkout.park */
update checkout.running set parked = $3 where checkout_id = $1 and fence = $2;
-- statement: checkout: prune
/* mercat.checkout.prune */
-- Refused purchases are kept for a day, then forgotten together with their keys; orders keep theirs.
with old as (
    select c.checkout_id from checkout.checkout c
    join checkout.answer a on a.checkout_id = c.checkout_id and a.status <> 201
    where c.checkout_id < $1 limit 5000
), answers as (
    delete from checkout.answer where checkout_id in (select checkout_id from old)
)
delete from checkout.checkout where checkout_id in (select checkout_id from old)
returning checkout_id;
-- statement: checkout: undoing_begin
/* mercat.checkout.undoing_begin */
-- What was closed is opened again: it was not decided then, and may be now.
insert into checkout.undoing as u (reference, order_id, record, lease_until)
values ($1, $2, $3::json, $4)
on conflict (reference) do update set done_at = null, lease_until = excluded.lease_until, record = excluded.record
    where u.done_at is not null;
-- statement: checkout: undoing_done
/* mercat.checkout.undoing_done */
update checkout.undoing set done_at = $2 where reference = $1 and done_at is null;
-- statement: checkout: undoing_lapsed
/* mercat.checkout.undoing_lapsed */
update checkout.undoing u set lease_until = $1::timestamptz + $2::interval, tries = tries + 1
from (
    select reference from checkout.undoing where done_at is null and parked is null and lease_until < $1
    order by reference limit 50 for update skip locked
) lapsed
where u.reference = lapsed.reference
returning u.reference, u.record::text, u.tries;
-- statement: checkout: undoing_park
/* mercat.checkout.undoing_park */
update checkout.undoing set parked = $2 where reference = $1 and done_at is null;
-- statement: checkout: undoing_unpark
/* mercat.checkout.undoing_unpark */
update checkout.undoing set parked = null, tries = 0, lease_until = $2 where reference = $1 and parked is not null;
-- statement: checkout: unpark
/* mercat.checkout.unpark */
update checkout.running set parked = null, tries = 0, lease_until = $2 where checkout_id = $1 and parked is not null;
-- statement: checkout: parked
/* mercat.checkout.parked */
-- What recovery has given up.
select 'buy/' || r.checkout_id as reference, null::bigint as order_id, c.record->'order'->'order_id' as text, r.parked as reason, r.tries,
    coalesce(r.direction, '') as direction, r.begun_at as since
from checkout.running r join checkout.checkout c using (checkout_id) where r.parked is not null
union all
select reference, order_id, null, parked, tries, 'forward', begun_at
from checkout.undoing where parked is not null and done_at is null
order by since limit $1;
-- statement: flashsale: create
/* mercat.flashsale.create */
-- A sale that begins at once ($17: now) has nobody to draw.
insert into flashsale.sale (sale_id, offer_id, product_id, title, units, per_person, per_card, per_address, queue,
    members_only, rate, ceiling, window_s, seed, commitment, starts_at, ends_at, state, drawn, roll, opened_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, sha256($14), $15::timestamptz, $16,
    case when $15::timestamptz <= $17 then 'open' else 'planned' end, case when $15::timestamptz <= $17 then 0 end,
    case when $15::timestamptz <= $17 then sha256('') end, case when $15::timestamptz <= $17 then $17::timestamptz end)
on conflict do nothing
returning sale_id;
-- statement: flashsale: standing
/* mercat.flashsale.standing */
-- The sales that are not over, and those that ended within the hour.
select * from flashsale.sale where state <> 'ended' or ended_at > now() - interval '1 hour' order by sale_id;
-- statement: flashsale: sale
/* mercat.flashsale.sale */
select * from flashsale.sale where sale_id = $1;
-- statement: flashsale: keep_tickets
/* mercat.flashsale.keep_tickets */
-- Those who joined since `joined` was $2: the numbers and who has them. Nothing where another releaser was faster.
with sale as materialized (
    update flashsale.sale set joined = $3 where sale_id = $1 and joined = $2 returning sale_id
)
insert into flashsale.ticket (sale_id, number, user_id)
select s.sale_id, a.number, a.user_id from sale s, unnest($4::int[], $5::bigint[]) as a (number, user_id)
on conflict do nothing;
-- statement: flashsale: tickets
/* mercat.flashsale.tickets */
-- A page of the line as it was joined, without those whose turn has lapsed: they may join anew.
select t.number, t.user_id, coalesce(t.owner_id, t.user_id) as owner_id, u.state is not distinct from 'lapsed' as lapsed from flashsale.ticket t
left join flashsale.turn u on u.sale_id = t.sale_id and u.number = t.number
where t.sale_id = $1 and t.number > $2 order by t.number limit $3;
-- statement: flashsale: open
/* mercat.flashsale.open */
-- The draw: who was there at the start, and the hash of their list. From here on the seed is public.
update flashsale.sale set state = 'open', drawn = $2, roll = $3, opened_at = $4
where sale_id = $1 and state = 'planned'
returning sale_id;
-- statement: flashsale: release
/* mercat.flashsale.release */
-- The next in line have their turn: places $4 with the numbers $5, $6 units each, until $8. `serving` was $2 and
-- becomes $3. Who has a turn already is passed over.
with sale as materialized (
    select sale_id from flashsale.sale where sale_id = $1 and serving = $2 and state = 'open' for update
), granted as (
    insert into flashsale.turn (sale_id, place, number, user_id, units, released_at, until)
    select t.sale_id, a.place, t.number, coalesce(t.owner_id, t.user_id), $6, $7, $8
    from sale s, unnest($4::int[], $5::int[]) as a (place, number)
    join flashsale.ticket t on t.sale_id = $1 and t.number = a.number
    order by a.place
    on conflict do nothing
    returning units
)
update flashsale.sale set serving = $3, taken = taken + (select coalesce(sum(units), 0) from granted)
where sale_id = (select sale_id from sale)
returning (select count(*) from granted) as released;
-- statement: flashsale: shopping
/* mercat.flashsale.shopping */
select count(*) filter (where state = 'issued') as issued, count(*) filter (where state = 'claimed') as claimed
from flashsale.turn where sale_id = $1 and state in ('issued', 'claimed');
-- statement: flashsale: lapse
/* mercat.flashsale.lapse */
-- Turns that nobody used in time: each gives its units back once.
with sale as materialized (
    select sale_id from flashsale.sale where sale_id = $1 and exists (
        select from flashsale.turn where sale_id = $1 and state = 'issued' and until < $2::timestamptz - $3::interval)
    for update
), gone as (
    update flashsale.turn t set state = 'lapsed', settled_at = $2
    where t.sale_id = (select sale_id from sale) and t.state = 'issued' and t.until < $2::timestamptz - $3::interval
    returning t.user_id, t.number, t.units
), back as (
    update flashsale.sale set taken = taken - (select sum(units) from gone)
    where sale_id = $1 and exists (select from gone)
)
select user_id, number from gone;
-- statement: flashsale: claimed
/* mercat.flashsale.claimed */
select place, checkout_id, claimed_at from flashsale.turn
where sale_id = $1 and state = 'claimed' and place = coalesce($2, place) order by place limit 10000;
-- statement: flashsale: settle
/* mercat.flashsale.settle */
-- What checkouts came to: bought, or the turn is its owner's again while its time lasts. Where one died before
-- it began, that took none of its owner's time.
with sale as materialized (
    select sale_id from flashsale.sale where sale_id = $1 for update
), settled as (
    update flashsale.turn t set settled_at = $6,
        until = case when a.died then $6::timestamptz + (t.until - t.claimed_at) else t.until end,
        state = case when a.bought then 'used'
            when t.until > case when a.died then t.claimed_at else $6 end then 'issued' else 'lapsed' end,
        checkout_id = case when a.bought then t.checkout_id end,
        quantity = case when a.bought then t.quantity end
    from unnest($2::int[], $3::bigint[], $4::boolean[], $5::boolean[]) as a (place, checkout_id, bought, died)
    where t.sale_id = (select sale_id from sale) and t.place = a.place and t.checkout_id = a.checkout_id
        and t.state = 'claimed'
    returning t.user_id, t.number, t.state, t.units, t.quantity
), counted as (
    update flashsale.sale s set
        sold = s.sold + (select coalesce(sum(quantity) filter (where state = 'used'), 0) from settled),
        taken = s.taken - (select coalesce(sum(units - quantity) filter (where state = 'used'), 0)
            + coalesce(sum(units) filter (where state = 'lapsed'), 0) from settled)
    where s.sale_id = $1 and exists (select from settled)
)
select user_id, number, state from settled;
-- statement: flashsale: keep
/* mercat.flashsale.keep */
-- How it goes, told only where it changed.
update flashsale.sale set pace = $2,
    sold_out_at = case when sold = units then coalesce(sold_out_at, $3) end,
    state = case when ends_at < $3 then 'ended' else state end,
    ended_at = case when ends_at < $3 then ends_at else ended_at end
where sale_id = $1 and state <> 'ended'
    and (pace is distinct from $2 or (sold = units) <> (sold_out_at is not null) or ends_at < $3);
-- statement: flashsale: adopt
/* mercat.flashsale.adopt */
-- A guest signed in: what was the guest's is the account's, unless that has a turn already.
with theirs as (
    update flashsale.ticket set owner_id = $3 where sale_id = $1 and number = $2
)
update flashsale.turn t set user_id = $3
where t.sale_id = $1 and t.number = $2 and t.state = 'issued' and not exists (
    select from flashsale.turn o where o.sale_id = $1 and o.user_id = $3 and o.state <> 'lapsed');
-- statement: flashsale: turn_of
/* mercat.flashsale.turn_of */
-- Somebody's latest turn.
select place, number, units, state, released_at, until, checkout_id from flashsale.turn
where sale_id = $1 and user_id = $2 order by released_at desc, place desc limit 1;
-- statement: flashsale: lock_sales
/* mercat.flashsale.lock_sales */
select sale_id from flashsale.sale where sale_id = any($1::text[]) order by sale_id for update;
-- statement: flashsale: claim
/* mercat.flashsale.claim */
-- A pass is shown at the till: the turn is this checkout's. Those that do not come back were refused.
with asked as materialized (
    select a.*, s.per_card, s.per_address,
        row_number() over (partition by a.sale_id, a.card order by a.checkout_id) as same_card,
        row_number() over (partition by a.sale_id, a.address order by a.checkout_id) as same_address
    from unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::smallint[], $6::text[], $7::text[])
        as a (sale_id, place, user_id, checkout_id, quantity, card, address)
    join flashsale.sale s on s.sale_id = a.sale_id and s.state in ('open', 'paused')
), allowed as materialized (
    select a.* from asked a
    where (a.per_card is null or a.per_card >= a.same_card + (
            select count(*) from flashsale.turn t where t.sale_id = a.sale_id and t.card = a.card
                and t.state in ('claimed', 'used') and t.place <> a.place))
        and (a.per_address is null or a.per_address >= a.same_address + (
            select count(*) from flashsale.turn t where t.sale_id = a.sale_id and t.address = a.address
                and t.state in ('claimed', 'used') and t.place <> a.place))
)
update flashsale.turn t set state = 'claimed', checkout_id = a.checkout_id, quantity = a.quantity, card = a.card,
    address = a.address, claimed_at = $8
from allowed a
where t.sale_id = a.sale_id and t.place = a.place and t.user_id = a.user_id and t.state = 'issued'
    and t.until >= $8 and t.units >= a.quantity
returning t.checkout_id, t.place;
-- statement: flashsale: rush
/* mercat.flashsale.rush */
-- Without a waiting room: the turn is made at the till, for as long as there are units. The sale is locked.
with asked as materialized (
    select a.*, s.serving, s.units - s.taken as left_over, s.per_card, s.per_address,
        row_number() over (partition by a.sale_id, a.user_id order by a.checkout_id) as same_user,
        row_number() over (partition by a.sale_id, a.card order by a.checkout_id) as same_card,
        row_number() over (partition by a.sale_id, a.address order by a.checkout_id) as same_address
    from unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::smallint[], $6::text[], $7::text[])
        as a (sale_id, place, user_id, checkout_id, quantity, card, address)
    join flashsale.sale s on s.sale_id = a.sale_id and s.state = 'open' and not s.queue
        and a.quantity <= s.per_person
), allowed as materialized (
    select a.*, sum(a.quantity) over (partition by a.sale_id order by a.checkout_id) as so_far,
        row_number() over (partition by a.sale_id order by a.checkout_id) as nth
    from asked a
    where same_user = 1
        and not exists (select from flashsale.turn t
            where t.sale_id = a.sale_id and t.user_id = a.user_id and t.state <> 'lapsed')
        and (a.per_card is null or a.per_card >= a.same_card + (
            select count(*) from flashsale.turn t where t.sale_id = a.sale_id and t.card = a.card
                and t.state in ('claimed', 'used')))
        and (a.per_address is null or a.per_address >= a.same_address + (
            select count(*) from flashsale.turn t where t.sale_id = a.sale_id and t.address = a.address
                and t.state in ('claimed', 'used')))
), made as (
    insert into flashsale.turn (sale_id, place, number, user_id, units, state, released_at, until, checkout_id,
        quantity, card, address, claimed_at)
    select sale_id, serving + nth, serving + nth, user_id, quantity, 'claimed', $8, $8, checkout_id, quantity, card,
        address, $8
    from allowed where so_far <= left_over
    order by sale_id, nth
    returning sale_id, place, checkout_id, units
), counted as (
    update flashsale.sale s set taken = s.taken + m.units, serving = m.place, joined = greatest(s.joined, m.place)
    from (select sale_id, sum(units) as units, max(place) as place from made group by 1) m
    where s.sale_id = m.sale_id
)
select checkout_id, place from made;
-- statement: flashsale: why_not
/* mercat.flashsale.why_not */
-- How it stands with claims that were refused, all at once: the sale, the turn that was asked for, and whether
-- the person has one.
select a.checkout_id, s.state as sale, s.units - s.taken as free, t.user_id, t.state, t.until,
    exists (select from flashsale.turn o
        where o.sale_id = a.sale_id and o.user_id = a.user_id and o.state <> 'lapsed') as has_turn
from unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) as a (sale_id, place, user_id, checkout_id)
left join flashsale.sale s on s.sale_id = a.sale_id
left join flashsale.turn t on t.sale_id = a.sale_id and t.place = a.place;
-- statement: flashsale: act
/* mercat.flashsale.act */
-- What an operator does, with who and why. Units are only ever added.
with done as (
    update flashsale.sale set
        state = case $3 when 'pause' then 'paused' when 'resume' then 'open' when 'end' then 'ended' else state end,
        starts_at = case $3 when 'start' then $6 else starts_at end,
        rate = case $3 when 'rate' then $4 else rate end,
        ceiling = case $3 when 'ceiling' then $4 else ceiling end,
        units = case $3 when 'units' then units + $4 else units end,
        ended_at = case $3 when 'end' then $6 else ended_at end
    where sale_id = $1 and case $3 when 'start' then state = 'planned'
        when 'pause' then state = 'open' when 'resume' then state = 'paused'
        else state <> 'ended' end
    returning sale_id
)
insert into flashsale.action (sale_id, who, what, amount, why, at)
select sale_id, $2, $3, $4, $5, $6 from done
returning action_id;
-- statement: flashsale: note
/* mercat.flashsale.note */
insert into flashsale.action (sale_id, who, what, why) values ($1, $2, $3, $4);
-- statement: flashsale: actions
/* mercat.flashsale.actions */
select at, who, what, amount, why from flashsale.action where sale_id = $1 order by action_id desc limit $2;
-- statement: flashsale: switch_off
/* mercat.flashsale.switch_off */
-- What the shop can do without while this sale lasts.
update flashsale.sale set switched_off = $2::text[] where sale_id = $1 returning sale_id;
-- statement: flashsale: counts
/* mercat.flashsale.counts */
select count(*) as issued, count(*) filter (where state = 'used') as used,
    count(*) filter (where state = 'lapsed') as lapsed, count(*) filter (where state = 'issued') as waiting,
    count(*) filter (where state = 'claimed') as claimed
from flashsale.turn where sale_id = $1;
-- statement: flashsale: turns
/* mercat.flashsale.turns */
select place, number, user_id, state, units, quantity, extract(epoch from released_at)::bigint as released
from flashsale.turn where sale_id = $1 and place > $2 order by place limit $3;
-- statement: flashsale: certify
/* mercat.flashsale.certify */
insert into flashsale.certificate (sale_id, body) values ($1, $2::json)
on conflict (sale_id) do update set body = excluded.body, made_at = now();
-- statement: flashsale: certificate
/* mercat.flashsale.certificate */
select body::text from flashsale.certificate where sale_id = $1;
-- statement: flashsale: tickets_kept
/* mercat.flashsale.tickets_kept */
select count(*) from flashsale.ticket where sale_id = $1 and number <= $2;
-- statement: fulfilment: open
/* mercat.fulfilment.open */
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
-- statement: fulfilment: seen
/* mercat.fulfilment.seen */
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
-- statement: fulfilment: shipments
/* mercat.fulfilment.shipments */
select s.shipment_id, s.order_id, s.seller_id, s.carrier, s.tracking_number, s.status, s.version, s.lines::text,
    (select json_agg(json_build_object('status', e.status, 'location', e.location, 'at', e.at) order by e.version)
        from fulfilment.event e where e.shipment_id = s.shipment_id)::text as events
from fulfilment.shipment s
where s.order_id = any($1::bigint[]) and ($2::bigint is null or s.seller_id = $2)
order by s.shipment_id;
-- statement: fulfilment: shipment
/* mercat.fulfilment.shipment */
select s.shipment_id, s.order_id, s.seller_id, s.carrier, s.tracking_number, s.status, s.version, s.lines::text,
    (select json_agg(json_build_object('status', e.status, 'location', e.location, 'at', e.at) order by e.version)
        from fulfilment.event e where e.shipment_id = s.shipment_id)::text as events
from fulfilment.shipment s
where s.shipment_id = $1 and s.seller_id = $2;
-- statement: fulfilment: take_orders
/* mercat.fulfilment.take_orders */
insert into fulfilment.seller_order (seller_id, order_id, placed_at, currency, lines, address, estimated_delivery)
select s, o, p, c, l::jsonb, a::jsonb, e
from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[])
    as x (s, o, p, c, l, a, e)
order by s, o
on conflict do nothing;
-- statement: fulfilment: cancel_orders
/* mercat.fulfilment.cancel_orders */
update fulfilment.seller_order set status = 'cancelled' where order_id = any($1::bigint[]) and status = 'to_ship';
-- statement: fulfilment: orders_of_seller
/* mercat.fulfilment.orders_of_seller */
select o.order_id, o.placed_at, o.status, o.currency, o.lines::text, o.address::text, o.estimated_delivery
from fulfilment.seller_order o
where o.seller_id = $1 and ($2::text is null or o.status = $2) and o.order_id < $3
order by o.order_id desc
limit $4;
-- statement: fulfilment: progress
/* mercat.fulfilment.progress */
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
-- statement: reviews: write_many
/* mercat.reviews.write_many */
-- What was written, and which asks came from somebody who never bought the product; an ask in neither had
-- its review already. `vouched` says whether a review brought along is verified; null asks our own memory,
-- whose rows are share-locked so that a delivery heard meanwhile cannot be missed by both sides.
with asked as materialized (
    select a.*, mine.bought, mine.delivered,
        row_number() over (partition by a.product_id, a.user_id order by a.n) as attempt
    from (
        select * from unnest(
            $1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::smallint[], $6::text[], $7::text[],
            $8::timestamptz[], $9::boolean[]
        ) with ordinality as ask (review_id, product_id, user_id, author, stars, title, body, written_at, vouched, n)
        order by user_id, product_id
    ) a
    cross join lateral (
        select count(*) > 0 as bought, coalesce(bool_or(state = 'delivered'), false) as delivered
        from (
            select b.state from reviews.bought b
            where b.user_id = a.user_id and b.product_id = a.product_id
            order by b.order_id for share
        ) kept
        where kept.state <> 'cancelled'
    ) mine
), written as (
    insert into reviews.review (review_id, product_id, user_id, author, stars, title, body, verified, written_at)
    select review_id, product_id, user_id, author, stars, title, body, coalesce(vouched, delivered), written_at
    from asked
    where attempt = 1 and (bought or vouched is not null)
    order by product_id, user_id
    on conflict (product_id, user_id) do nothing
    returning review_id, product_id, stars, verified, events.tell('ReviewWritten', jsonb_build_object(
        'event', 'ReviewWritten', 'review_id', review_id, 'product_id', product_id, 'user_id', user_id,
        'stars', stars, 'verified', verified))
), rated as (
    insert into reviews.rating as r (product_id, version, written)
    select product_id, 1, array[
        count(*) filter (where stars = 1), count(*) filter (where stars = 2), count(*) filter (where stars = 3),
        count(*) filter (where stars = 4), count(*) filter (where stars = 5)]
    from written
    group by product_id
    order by product_id
    on conflict (product_id) do update
        set written = reviews.plus(r.written, excluded.written), version = r.version + 1
    returning reviews.tell_rating(r)
)
select review_id, true as written, verified from written
union all
select review_id, false, false from asked where not bought and vouched is null;
-- statement: reviews: start_many
/* mercat.reviews.start_many */
-- Tells only where the sum is ours to tell: what a product came with is known to whoever brought it.
insert into reviews.rating as r (product_id, version, start)
select product_id, 0, array[one, two, three, four, five]
from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
    as given (product_id, one, two, three, four, five)
order by product_id
on conflict (product_id) do update set start = excluded.start, version = r.version + 1
    where r.start <> excluded.start
returning case when reviews.total(r.written) > 0 then reviews.tell_rating(r) end;
-- statement: reviews: rating
/* mercat.reviews.rating */
select reviews.mean(h) as rating, reviews.total(h) as review_count, h as histogram, version, written
from (select reviews.plus(start, written) as h, version, reviews.total(written) as written
      from reviews.rating where product_id = $1) r;
-- statement: reviews: newest
/* mercat.reviews.newest */
select review_id, product_id, author, stars, title, body, verified, helpful, unhelpful, written_at
from reviews.review
where product_id = $1 and ($2::bigint is null or
    (written_at, review_id) < (select written_at, review_id from reviews.review where review_id = $2))
order by written_at desc, review_id desc
limit $3;
-- statement: reviews: most_helpful
/* mercat.reviews.most_helpful */
select review_id, product_id, author, stars, title, body, verified, helpful, unhelpful, written_at
from reviews.review
where product_id = $1 and ($2::bigint is null or (helpfulness, written_at, review_id) <
    (select helpfulness, written_at, review_id from reviews.review where review_id = $2))
order by helpfulness desc, written_at desc, review_id desc
limit $3;
-- statement: reviews: most_stars
/* mercat.reviews.most_stars */
select review_id, product_id, author, stars, title, body, verified, helpful, unhelpful, written_at
from reviews.review
where product_id = $1 and ($2::bigint is null or (stars, written_at, review_id) <
    (select stars, written_at, review_id from reviews.review where review_id = $2))
order by stars desc, written_at desc, review_id desc
limit $3;
-- statement: reviews: vote_many
/* mercat.reviews.vote_many */
-- A person has one voice a review, none on their own, and may change their mind.
with voted as (
    insert into reviews.vote as v (review_id, user_id, yes)
    select distinct on (a.review_id, a.user_id) a.review_id, a.user_id, a.yes
    from unnest($1::bigint[], $2::bigint[], $3::boolean[]) as a (review_id, user_id, yes)
    join reviews.review r on r.review_id = a.review_id and r.user_id <> a.user_id
    order by a.review_id, a.user_id
    on conflict (review_id, user_id) do update set yes = excluded.yes where v.yes <> excluded.yes
    returning v.review_id, new.yes as now, old.yes as before
), net as (
    select review_id,
        sum(now::integer - coalesce(before::integer, 0)) as helpful,
        sum((not now)::integer - coalesce((not before)::integer, 0)) as unhelpful
    from voted
    group by review_id
)
update reviews.review r set helpful = r.helpful + net.helpful, unhelpful = r.unhelpful + net.unhelpful
from net
where r.review_id = net.review_id;
-- statement: reviews: votes
/* mercat.reviews.votes */
select user_id, helpful, unhelpful from reviews.review where review_id = $1;
-- statement: reviews: remember_purchases
/* mercat.reviews.remember_purchases */
insert into reviews.bought (user_id, product_id, order_id, state)
select distinct *, 'bought' from unnest($1::bigint[], $2::bigint[], $3::bigint[])
order by 1, 2, 3
on conflict do nothing;
-- statement: reviews: forget_purchases
/* mercat.reviews.forget_purchases */
update reviews.bought b set state = 'cancelled'
from unnest($1::bigint[], $2::bigint[]) as told (user_id, order_id)
where b.user_id = told.user_id and b.order_id = told.order_id and b.state = 'bought';
-- statement: reviews: remember_deliveries
/* mercat.reviews.remember_deliveries */
insert into reviews.bought as b (user_id, product_id, order_id, state)
select distinct *, 'delivered' from unnest($1::bigint[], $2::bigint[], $3::bigint[])
order by 1, 2, 3
on conflict (user_id, product_id, order_id) do update set state = 'delivered' where b.state = 'bought';
-- statement: reviews: verify
/* mercat.reviews.verify */
update reviews.review r set verified = true
from unnest($1::bigint[], $2::bigint[]) as told (user_id, product_id)
where r.product_id = told.product_id and r.user_id = told.user_id and not r.verified;
-- statement: wishlist: items
/* mercat.wishlist.items */
select product_id, added_at from wishlist.item where user_id = $1 order by added_at desc, product_id desc;
-- statement: wishlist: put
/* mercat.wishlist.put */
with put as (
    insert into wishlist.item (user_id, product_id, added_at) values ($1, $2, $3)
    on conflict do nothing
    returning user_id
)
insert into wishlist.list as l (user_id, items) select user_id, 1 from put
on conflict (user_id) do update set items = l.items + 1;
-- statement: wishlist: drop
/* mercat.wishlist.drop */
with dropped as (
    delete from wishlist.item where user_id = $1 and product_id = $2 returning user_id
)
update wishlist.list l set items = l.items - 1 from dropped where l.user_id = dropped.user_id;
-- statement: recommendations: remember_baskets
/* mercat.recommendations.remember_baskets */
-- Answers the orders that were not known yet: only they are counted.
insert into recommendations.basket (user_id, order_id, products)
select user_id, order_id, products::bigint[]
from unnest($1::bigint[], $2::bigint[], $3::text[]) as told (user_id, order_id, products)
order by user_id, order_id
on conflict do nothing
returning order_id;
-- statement: recommendations: count_sold
/* mercat.recommendations.count_sold */
insert into recommendations.sold as s (product_id, orders)
select * from unnest($1::bigint[], $2::bigint[]) as counted (product_id, orders)
order by product_id
on conflict (product_id) do update set orders = s.orders + excluded.orders;
-- statement: recommendations: count_pairs
/* mercat.recommendations.count_pairs */
insert into recommendations.pair as p (product_id, other_id, orders)
select one, other, orders from unnest($1::bigint[], $2::bigint[], $3::integer[]) as a (one, other, orders)
union all
select other, one, orders from unnest($1::bigint[], $2::bigint[], $3::integer[]) as b (one, other, orders)
order by 1, 2
on conflict (product_id, other_id) do update set orders = p.orders + excluded.orders;
-- statement: recommendations: know_products
/* mercat.recommendations.know_products */
insert into recommendations.product as p
    (product_id, version, category, brand, price, rating, review_count, in_stock)
select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::float8[], $7::bigint[],
    $8::boolean[]) as told (product_id, version, category, brand, price, rating, review_count, in_stock)
order by product_id
on conflict (product_id) do update set
    version = excluded.version, category = excluded.category, brand = excluded.brand, price = excluded.price,
    rating = excluded.rating, review_count = excluded.review_count, in_stock = excluded.in_stock
where p.version < excluded.version;
-- statement: recommendations: together
/* mercat.recommendations.together */
-- Orders that two products shared, over the root of the orders each was in: cosine similarity, summed over what
-- is given ($1). $2 is left out; $3 are wanted; of each given one's companions the $4 most frequent are weighed.
select c.other_id as product_id
from (
    select p.other_id, sum(p.orders / sqrt(s.orders)) as weight
    from unnest($1::bigint[]) as given (product_id)
    join recommendations.sold s on s.product_id = given.product_id
    cross join lateral (
        select other_id, orders from recommendations.pair
        where product_id = given.product_id
        order by orders desc, other_id
        limit $4
    ) p
    group by p.other_id
) c
join recommendations.sold o on o.product_id = c.other_id
join recommendations.product k on k.product_id = c.other_id and k.in_stock
where c.other_id <> all ($2::bigint[])
order by c.weight / sqrt(o.orders) desc, o.orders desc, c.other_id
limit $3;
-- statement: recommendations: similar
/* mercat.recommendations.similar */
-- The nearest in price of the same category, dearer and cheaper; the same brand counts as a quarter nearer,
-- five sure stars as a tenth.
select near.product_id
from recommendations.product this
cross join lateral (
    (select product_id, brand, price, standing from recommendations.product
     where in_stock and category = this.category and price >= this.price and product_id <> this.product_id
     order by price, product_id limit 100)
    union all
    (select product_id, brand, price, standing from recommendations.product
     where in_stock and category = this.category and price < this.price
     order by price desc, product_id desc limit 100)
) near
where this.product_id = $1 and near.product_id <> all ($2::bigint[])
order by abs(ln(greatest(near.price, 1)::float8 / greatest(this.price, 1)))
        - case when near.brand = this.brand and this.brand <> '' then 0.25 else 0 end
        - near.standing / 50,
    near.product_id
limit $3;
-- statement: recommendations: popular
/* mercat.recommendations.popular */
select s.product_id
from recommendations.sold s
join recommendations.product p on p.product_id = s.product_id and p.in_stock
where s.product_id <> all ($1::bigint[])
order by s.orders desc, s.product_id
limit $2;
-- statement: recommendations: well_rated
/* mercat.recommendations.well_rated */
select product_id from recommendations.product
where in_stock and product_id <> all ($1::bigint[])
order by standing desc, product_id
limit $2;
-- statement: recommendations: recent_baskets
/* mercat.recommendations.recent_baskets */
select products from recommendations.basket where user_id = $1 order by order_id desc limit 10;
-- statement: notifications: write
/* mercat.notifications.write */
-- Where the fact names no address, it goes to whoever got the order's confirmation. Without a way to send ($7)
-- the mailbox is the delivery.
insert into notifications.mail (subject_id, kind, channel, order_id, recipient, facts, made_at, due_at, sent_at)
select subject_id, kind, 'mail', order_id, recipient, facts::jsonb, $6::timestamptz,
    case when $7::boolean then $6 end, case when not $7 then $6 end
from (
    select told.subject_id, told.kind, told.order_id, told.facts, coalesce(nullif(told.email, ''), (
        select confirmed.recipient from notifications.mail confirmed
        where confirmed.subject_id = told.order_id and confirmed.kind = 'order_confirmed'
            and confirmed.channel = 'mail')) as recipient
    from unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[])
        as told (subject_id, kind, order_id, email, facts)
) letter
where recipient is not null
order by subject_id, kind
on conflict do nothing;
-- statement: notifications: mailbox
/* mercat.notifications.mailbox */
select m.mail_id, m.kind, m.recipient, m.facts, m.made_at as at, m.sent_at, m.tries, m.failure,
    (select c.facts from notifications.mail c
     where c.subject_id = m.order_id and c.kind = 'order_confirmed' and c.channel = 'mail') as order_facts
from notifications.mail m
order by m.mail_id desc
limit $1;
-- statement: notifications: mailbox_of
/* mercat.notifications.mailbox_of */
select m.mail_id, m.kind, m.recipient, m.facts, m.made_at as at, m.sent_at, m.tries, m.failure,
    (select c.facts from notifications.mail c
     where c.subject_id = m.order_id and c.kind = 'order_confirmed' and c.channel = 'mail') as order_facts
from notifications.mail m
where lower(m.recipient) = lower($2)
order by m.mail_id desc
limit $1;
-- statement: notifications: any_due
/* mercat.notifications.any_due */
select exists (select from notifications.mail where due_at <= $1);
-- statement: notifications: claim
/* mercat.notifications.claim */
-- Takes one letter out of everybody else's hands before it is sent: from here on a crash loses it rather than
-- send it twice.
update notifications.mail m set due_at = null, claimed_at = $1, tries = m.tries + 1, failure = null
where m.mail_id = (
    select mail_id from notifications.mail
    where due_at <= $1
    order by due_at, mail_id
    for update skip locked
    limit 1
)
returning m.mail_id, m.kind, m.recipient, m.facts, m.made_at as at, m.sent_at, m.tries, m.failure,
    (select c.facts from notifications.mail c
     where c.subject_id = m.order_id and c.kind = 'order_confirmed' and c.channel = 'mail') as order_facts;
-- statement: notifications: settle
/* mercat.notifications.settle */
update notifications.mail set sent_at = $2, due_at = $3, failure = $4 where mail_id = $1;
-- statement: notifications: lose
/* mercat.notifications.lose */
-- Whoever held these is gone; nobody knows whether they went out, so they are not sent again by themselves.
update notifications.mail set failure = $2
where due_at is null and sent_at is null and failure is null and claimed_at < $1;
-- statement: notifications: again
/* mercat.notifications.again */
update notifications.mail set due_at = $2, tries = 0, failure = null
where mail_id = $1 and sent_at is null and failure is not null
returning mail_id;
-- statement: search: rules
/* mercat.search.rules */
select rule_id, kind, words, product_id, place, brand, category, factor, other, same, starts_on, ends_on, version,
    changed_at, changed_by
from search.rule
order by kind, lower(words), place, rule_id;
-- statement: search: rules_as_they_stand
/* mercat.search.rules_as_they_stand */
-- Whether anything has changed: every change raises a version, adds a rule or takes one away.
select coalesce(md5(string_agg(rule_id || ':' || version, ',' order by rule_id)), '') from search.rule;
-- statement: search: save_rule
/* mercat.search.save_rule */
-- Told twice it changes nothing, and no change is written down. $17: how many rules there may be.
with before as materialized (
    select to_jsonb(r) - array['version', 'changed_at', 'changed_by', 'changed_by_id'] as was
    from search.rule r where rule_id = $1 for update
), saved as (
    insert into search.rule as r (rule_id, kind, words, product_id, place, brand, category, factor, other, same,
        starts_on, ends_on, changed_at, changed_by_id, changed_by)
    select $1::bigint, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
    where exists (select from before) or ($16 and (select count(*) from search.rule) < $17)
    on conflict (rule_id) do update set kind = excluded.kind, words = excluded.words,
        product_id = excluded.product_id, place = excluded.place, brand = excluded.brand,
        category = excluded.category, factor = excluded.factor, other = excluded.other, same = excluded.same,
        starts_on = excluded.starts_on, ends_on = excluded.ends_on, changed_at = excluded.changed_at,
        changed_by_id = excluded.changed_by_id, changed_by = excluded.changed_by, version = r.version + 1
        where (r.kind, r.words, r.product_id, r.place, r.brand, r.category, r.factor, r.other, r.same,
            r.starts_on, r.ends_on) is distinct from (excluded.kind, excluded.words, excluded.product_id,
            excluded.place, excluded.brand, excluded.category, excluded.factor, excluded.other, excluded.same,
            excluded.starts_on, excluded.ends_on)
    returning r.*
)
insert into search.rule_change (change_id, rule_id, what, by_id, by_name, at, was, is_now)
select $18, s.rule_id, case when b.was is null then 'added' else 'changed' end, $14, $15, $13, b.was,
    to_jsonb(s) - array['version', 'changed_at', 'changed_by', 'changed_by_id']
from saved s left join before b on true;
-- statement: search: rule
/* mercat.search.rule */
select rule_id, kind, words, product_id, place, brand, category, factor, other, same, starts_on, ends_on, version,
    changed_at, changed_by
from search.rule where rule_id = $1;
-- statement: search: remove_rule
/* mercat.search.remove_rule */
with gone as (
    delete from search.rule r where rule_id = $1
    returning rule_id, to_jsonb(r) - array['version', 'changed_at', 'changed_by', 'changed_by_id'] as was
)
insert into search.rule_change (change_id, rule_id, what, by_id, by_name, at, was)
select $5, rule_id, 'removed', $2, $3, $4, was from gone
returning rule_id;
-- statement: search: was_rule
/* mercat.search.was_rule */
select exists (select from search.rule_change where rule_id = $1);
-- statement: search: rule_changes
/* mercat.search.rule_changes */
select change_id, rule_id, what, by_name as by, at, was::text, is_now::text as now
from search.rule_change
where $1::bigint is null or change_id < $1
order by change_id desc
limit $2;
-- statement: search: count_asked
/* mercat.search.count_asked */
insert into search.asked as a (words, times, weight)
select words, times, weight from unnest($1::text[], $2::bigint[], $3::float8[]) as asked (words, times, weight)
order by words
on conflict (words) do update set times = a.times + excluded.times, weight = a.weight + excluded.weight;
-- statement: search: forget_asked
/* mercat.search.forget_asked */
delete from search.asked
where words in (select words from search.asked order by weight desc, words offset $1);
-- statement: search: often_asked
/* mercat.search.often_asked */
select words, weight from search.asked where times >= $1 order by weight desc, words limit $2;
-- statement: events: slot_exists
/* mercat.kit.slot_exists */
select exists (select from pg_replication_slots where slot_name = $1::text);
-- statement: events: open_slot
/* mercat.kit.open_slot */
select pg_create_logical_replication_slot($1::text::name, 'pgoutput');
-- statement: events: relayed
/* mercat.kit.relayed */
select commit::text, facts, last_id from events.relayed;
-- statement: events: partitions
/* mercat.kit.partitions */
select c.relname::text as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'events.log'::regclass order by c.relname;
-- statement: events: append
/* mercat.kit.append */
-- Facts and how far the relay has got, in one transaction: what the log holds is never appended again.
with appended as (
    insert into events.log (id, kind, body)
    select * from unnest($1::bigint[], $2::text[], $3::text[])
)
update events.relayed set commit = $4::text::pg_lsn, facts = $5, last_id = $6;
-- statement: events: read_on
/* mercat.kit.read_on */
select l.id, l.kind, l.body
from events.log l
where l.id > $1 and l.id <= $2 and l.kind = any($3)
order by l.id
limit $4;
-- statement: events: position
/* mercat.kit.position */
select coalesce((select at from events.position where follower = $1), 0);
-- statement: events: move_on
/* mercat.kit.move_on */
-- Takes the follower from where it read to where it has got to, unless another process was quicker.
select events.move_on($1, $2, $3);
-- statement: events: park
/* mercat.kit.park */
insert into events.parked (follower, id, kind, body, reason)
values ($1, $2, $3, $4, $5) on conflict do nothing;
-- statement: events: slowest
/* mercat.kit.slowest */
select min(at) from events.position where follower = any($1);
-- statement: events: slot_lag
/* mercat.kit.slot_lag */
select coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0)::bigint
from pg_replication_slots where slot_name = $1::text;
-- statement: events: lags
/* mercat.kit.lags */
select p.follower, p.at, r.last_id - p.at as behind, (select count(*) from events.parked k where k.follower = p.follower) as parked
from events.position p cross join events.relayed r
order by p.follower;
-- statement: events: lease_worker
/* mercat.kit.lease_worker */
update events.worker set holder = $1, until = now() + interval '1 minute'
where number = (
    select number from events.worker
    where until < now() and spent_until < now()
    order by number for update skip locked limit 1
)
returning number;
-- statement: events: keep_worker
/* mercat.kit.keep_worker */
update events.worker set until = now() + interval '1 minute', spent_until = greatest(spent_until, $3)
where number = $2 and holder = $1
returning number;
-- statement: events: hand_back_worker
/* mercat.kit.hand_back_worker */
update events.worker set until = '-infinity', spent_until = greatest(spent_until, $3), holder = null
where number = $2 and holder = $1;
-- statement: audit: stock is never oversold
-- Every law yields how many rows it checked and how many broke it.
select count(*) as checked, count(*) filter (where reserved < 0 or reserved > on_hand) as violations
from inventory.stock;
-- statement: audit: stock on hand is the sum of its movements
with moved as (
    select offer_id, location_id, sum(quantity) as units
    from inventory.movement, unnest(offer_ids, location_ids, quantities) as u (offer_id, location_id, quantity)
    group by 1, 2
)
select count(*) as checked, count(*) filter (where coalesce(s.on_hand, 0) <> coalesce(m.units, 0)) as violations
from inventory.stock s full join moved m using (offer_id, location_id);
-- statement: audit: stock reserved is the sum of live reservations
with held as (
    select offer_id, location_id, sum(quantity) as units
    from inventory.reservation, unnest(offer_ids, location_ids, quantities) as u (offer_id, location_id, quantity)
    where state = 'held'
    group by 1, 2
)
select count(*) as checked, count(*) filter (where coalesce(s.reserved, 0) <> coalesce(h.units, 0)) as violations
from inventory.stock s full join held h using (offer_id, location_id);
-- statement: audit: what was sold left the shelf once
select count(*) as checked, count(*) filter (where m.reference is null) as violations
from inventory.reservation r
left join inventory.movement m on m.reference = r.checkout_id::text and m.kind = 'sold'
where r.state = 'sold';
-- statement: audit: a held reservation belongs to a running checkout
select count(*) as checked, count(*) filter (where c.checkout_id is null) as violations
from inventory.reservation r
left join checkout.running c on c.checkout_id = r.checkout_id
where r.state = 'held' and r.at < now() - interval '30 seconds';
-- statement: audit: order lines add up to the order
with lines as (
    select bucket, order_id, sum(total) as subtotal, bool_and(total = unit_price * quantity) as sound
    from orders.line group by 1, 2
)
select count(*) as checked,
    count(*) filter (where l.subtotal is distinct from o.subtotal or not l.sound) as violations
from orders.orders o left join lines l using (bucket, order_id) where o.status <> 'refused';
-- statement: audit: order totals add up
select count(*) as checked, count(*) filter (where total
    <> subtotal - discount + shipping + case when prices_include_tax then 0 else tax end) as violations
from orders.orders where status <> 'refused';
-- statement: audit: an order has one captured payment of its total
with paid as (
    select order_id, count(*) as payments, sum(amount) as amount
    from payments.payment where status = 'captured' group by 1
)
select count(*) as checked,
    count(*) filter (where p.payments is distinct from 1 or p.amount is distinct from o.total) as violations
from orders.orders o left join paid p using (order_id) where o.status <> 'refused';
-- statement: audit: an order has one confirmed reservation of exactly its lines
with sold as (
    select r.checkout_id, u.offer_id, sum(u.quantity) as units
    from inventory.reservation r, unnest(r.offer_ids, r.quantities) as u (offer_id, quantity)
    where r.state = 'sold' group by 1, 2
), bought as (
    select o.checkout_id, l.offer_id, sum(l.quantity) as units
    from orders.orders o join orders.line l using (bucket, order_id) where o.status <> 'refused' group by 1, 2
)
select count(*) as checked, count(*) filter (where s.units is distinct from b.units) as violations
from sold s full join bought b using (checkout_id, offer_id)
where not exists (select from checkout.running r where r.checkout_id = coalesce(s.checkout_id, b.checkout_id));
-- statement: audit: every journal entry sums to zero
select count(*) as checked,
    count(*) filter (where (select sum(a) from unnest(amounts) a) <> 0 or cardinality(accounts) <> cardinality(amounts))
        as violations
from payments.entry;
-- statement: audit: the trial balance is zero
select count(*) as checked, count(*) filter (where balance <> 0) as violations
from (select currency, sum(a) as balance from payments.entry, unnest(amounts) a group by currency) b;
-- statement: audit: every capture and refund is booked
select count(*) as checked, count(*) filter (where e.reference is null) as violations
from (
    select checkout_id as reference, 'capture' as kind, amount from payments.payment where status = 'captured'
    union all
    select refund_id, 'refund', -amount from payments.refund
    union all
    select refund_id, 'paid_back', amount from payments.refund where status = 'done'
) money
left join payments.entry e on e.reference = money.reference and e.kind = money.kind and e.amounts[1] = money.amount;
-- statement: audit: what is owed as refunds is what is pending
-- What the bank could not pay back is owed still.
with owed as (
    select currency, -sum(amount) as amount
    from payments.entry, unnest(accounts, amounts) as u (account, amount)
    where kind <> 'capture' and account = 'refunds' group by 1
), pending as (
    select p.currency, sum(r.amount) as amount
    from payments.refund r join payments.payment p using (payment_id) where r.status in ('pending', 'failed') group by 1
)
select count(*) as checked, count(*) filter (where coalesce(o.amount, 0) <> coalesce(p.amount, 0)) as violations
from owed o full join pending p using (currency);
-- statement: audit: refunds never exceed captures
with back as (select payment_id, sum(amount) as amount from payments.refund group by 1)
select count(*) as checked,
    count(*) filter (where coalesce(b.amount, 0) > p.amount or coalesce(b.amount, 0) <> p.refunded) as violations
from payments.payment p left join back b using (payment_id) where p.status = 'captured';
-- statement: audit: every capture belongs to an order or is refunded
select count(*) as checked,
    count(*) filter (where p.refunded < p.amount and o.order_id is null) as violations
from payments.payment p
left join orders.orders o on o.order_id = p.order_id and o.status not in ('refused')
where p.status = 'captured'
    and not exists (select from checkout.running r where r.checkout_id = p.checkout_id);
-- statement: audit: a cancelled order is refunded
select count(*) as checked, count(*) filter (where p.refunded is distinct from o.total) as violations
from orders.orders o
left join payments.payment p on p.order_id = o.order_id and p.status = 'captured'
where o.status = 'cancelled' and not exists (
    select from checkout.undoing u where u.order_id = o.order_id and u.done_at is null);
-- statement: audit: nothing stays undecided for longer than fifteen minutes
select count(*) as checked,
    count(*) filter (where begun_at < now() - interval '16 minutes' and parked is null) as violations
from checkout.running;
-- statement: audit: one order a key
select count(*) as checked, count(*) filter (where orders > 1) as violations
from (
    select c.user_id, c.key, count(o.order_id) as orders
    from checkout.checkout c join orders.orders o on o.checkout_id = c.checkout_id and o.status <> 'refused'
    group by 1, 2
) k;
-- statement: audit: one order a cart
select count(*) as checked, count(*) filter (where orders > 1) as violations
from (select cart_id, count(*) as orders from orders.orders where status <> 'refused' group by 1) c;
-- statement: audit: what a shopper was told stands
select count(*) as checked,
    count(*) filter (where (a.status = 201) <> (o.order_id is not null)) as violations
from checkout.answer a
join checkout.checkout c using (checkout_id)
left join orders.orders o on o.checkout_id = a.checkout_id and o.status <> 'refused';
-- statement: audit: one successful charge a checkout at the provider
select count(*) as checked,
    count(*) filter (where p.payment_id is null or p.amount <> s.amount or p.refunded <> s.refunded) as violations
from payments.sandbox_charge s
left join payments.payment p on p.checkout_id = s.key and p.status = 'captured'
where s.state = 'charged' and not exists (select from checkout.running r where r.checkout_id = s.key)
    and not exists (select from payments.refund f where f.payment_id = p.payment_id and f.status <> 'done');
-- statement: audit: one letter a fact and channel
select count(*) as checked, count(*) filter (where letters > 1) as violations
from (select count(*) as letters from notifications.mail group by subject_id, kind, channel) m;
-- statement: audit: ratings are the sum of their reviews
with counted as (
    select product_id, array[count(*) filter (where stars = 1), count(*) filter (where stars = 2),
        count(*) filter (where stars = 3), count(*) filter (where stars = 4), count(*) filter (where stars = 5)] as stars
    from reviews.review group by 1
)
select count(*) as checked,
    count(*) filter (where coalesce(r.written, '{0,0,0,0,0}') <> coalesce(c.stars, '{0,0,0,0,0}')) as violations
from reviews.rating r full join counted c using (product_id);
-- statement: audit: products show the ratings that reviews told
-- What was written within the last half minute may still be on its way.
select count(*) as checked,
    count(*) filter (where p.review_count <> (select sum(a + b) from unnest(r.start, r.written) u (a, b))) as violations
from reviews.rating r join catalog.product p using (product_id)
where (select sum(a) from unnest(r.written) a) > 0 and not exists (
    select from reviews.review w where w.product_id = r.product_id and w.written_at > now() - interval '30 seconds');
-- statement: audit: a flash sale sells no more than it offers
-- What is counted as sold and as promised is what the turns say.
with turns as (
    select sale_id, coalesce(sum(quantity) filter (where state = 'used'), 0) as sold,
        coalesce(sum(case when state = 'used' then quantity when state <> 'lapsed' then units end), 0) as taken
    from flashsale.turn group by 1
)
select count(*) as checked,
    count(*) filter (where s.taken > s.units or s.sold <> coalesce(t.sold, 0) or s.taken <> coalesce(t.taken, 0))
        as violations
from flashsale.sale s left join turns t using (sale_id);
-- statement: audit: a flash pass buys one order
with bought as (
    select c.checkout_id, c.pass, s.sale_id, sum(l.quantity) as units,
        count(*) over (partition by c.pass) as orders
    from checkout.checkout c
    join orders.orders o on o.checkout_id = c.checkout_id and o.status <> 'refused'
    join flashsale.sale s on s.sale_id = split_part(c.pass, '/', 1)
    join orders.line l on l.bucket = o.bucket and l.order_id = o.order_id and l.offer_id = s.offer_id
    where c.pass is not null
    group by 1, 2, 3
)
select count(*) as checked,
    count(*) filter (where b.orders > 1 or t.checkout_id is null or b.checkout_id is null and t.state = 'used'
        or t.pass <> b.pass or t.quantity <> b.units) as violations
from bought b
full join (
    select checkout_id, state, quantity, sale_id || '/' || place as pass
    from flashsale.turn where state in ('claimed', 'used')
) t using (checkout_id);
-- statement: audit: an order of a flash sale has its pass
-- A process may learn of a new sale some seconds late.
select count(*) as checked, count(*) filter (where c.pass is null) as violations
from flashsale.sale s
join orders.line l on l.offer_id = s.offer_id
join orders.orders o on o.bucket = l.bucket and o.order_id = l.order_id and o.status <> 'refused'
    and o.placed_at > s.made_at + interval '10 seconds' and o.placed_at < coalesce(s.ended_at, 'infinity')
join checkout.checkout c on c.checkout_id = o.checkout_id;
-- statement: audit: flash passes are released in queue order
with turns as (
    select t.sale_id, t.user_id, t.place, t.number, t.released_at, s.serving, s.drawn,
        max(t.released_at) over (partition by t.sale_id order by t.place) as latest
    from flashsale.turn t join flashsale.sale s using (sale_id) where s.queue
), passed_over as (
    select k.sale_id from flashsale.ticket k join flashsale.sale s using (sale_id)
    where s.queue and k.number > s.drawn and k.number <= s.serving and not exists (
        select from flashsale.turn t where t.sale_id = k.sale_id
            and (t.number = k.number or t.user_id in (k.user_id, k.owner_id)))
)
select count(*) as checked,
    count(*) filter (where released_at < latest or place > serving or place > drawn and number <> place)
        + (select count(*) from passed_over) as violations
from turns;