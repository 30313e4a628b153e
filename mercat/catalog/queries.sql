-- name: categories
select category_id, slug, name, parent_id, slugs, names from catalog.category order by names;

-- name: category_aliases
select key, category_id from catalog.category_alias;

-- name: lock_categories
-- Whoever changes the tree does it alone; products go on being put into it.
lock table catalog.category in share row exclusive mode;

-- name: category_in_use(category_id)
select exists (select from catalog.product where category_id = :category_id)
    or exists (select from catalog.category where parent_id = :category_id) as in_use;

-- name: move_products(merged, targets)
-- Puts the products of categories that go into those that they are merged into.
with locked as materialized (
    select product_id from catalog.product where category_id = any(:merged::bigint[]) order by product_id for update
)
update catalog.product p set category_id = m.target
from unnest(:merged::bigint[], :targets::bigint[]) as m (category_id, target)
where p.category_id = m.category_id and (select count(*) from locked) > 0;

-- name: lead_on(merged, targets)
-- What led to categories that go leads to those that they are merged into.
with slugs as (
    update catalog.category_redirect r set category_id = m.target
    from unnest(:merged::bigint[], :targets::bigint[]) as m (category_id, target) where r.category_id = m.category_id
)
update catalog.category_alias a set category_id = m.target
from unnest(:merged::bigint[], :targets::bigint[]) as m (category_id, target) where a.category_id = m.category_id;

-- name: move_children(merged)
-- Takes what is below categories that go out of the way of deleting them.
update catalog.category set parent_id = null where parent_id = any(:merged::bigint[]);

-- name: remove_categories(category_ids)
delete from catalog.category where category_id = any(:category_ids::bigint[]);

-- name: free_category_names(category_ids)
-- Several names may change places: none may be in the way of another meanwhile.
update catalog.category set key = null, names = array[category_id::text, 'meanwhile'], slug = category_id::text
where category_id = any(:category_ids::bigint[]);

-- name: put_categories(category_ids, slugs, names, parents, slug_paths, name_paths, keys)
insert into catalog.category as c (category_id, slug, name, parent_id, slugs, names, key)
select i, s, n, p, string_to_array(ss, '/'), string_to_array(ns, E'\x1f'), k
from unnest(:category_ids::bigint[], :slugs::text[], :names::text[], :parents::bigint[], :slug_paths::text[],
    :name_paths::text[], :keys::text[]) as c (i, s, n, p, ss, ns, k)
on conflict (category_id) do update set slug = excluded.slug, name = excluded.name, parent_id = excluded.parent_id,
    slugs = excluded.slugs, names = excluded.names, key = excluded.key;

-- name: put_redirects(slugs, category_ids)
insert into catalog.category_redirect (slug, category_id)
select s, i from unnest(:slugs::text[], :category_ids::bigint[]) as r (s, i)
on conflict (slug) do update set category_id = excluded.category_id;

-- name: put_aliases(keys, category_ids)
insert into catalog.category_alias (key, category_id)
select k, i from unnest(:keys::text[], :category_ids::bigint[]) as a (k, i)
on conflict (key) do update set category_id = excluded.category_id;

-- name: drop_stale_redirects
-- A slug or a path that a category has by now leads nowhere else.
with slugs as (delete from catalog.category_redirect r using catalog.category c where c.slug = r.slug)
delete from catalog.category_alias a using catalog.category c where c.key = a.key;

-- name: moved_category(slug)
select c.category_id, c.slug, c.name, c.parent_id
from catalog.category_redirect r join catalog.category c using (category_id) where r.slug = :slug;

-- name: ask_categories(keys, name_paths, seller_id)
insert into catalog.category_asked as a (key, names, seller_id)
select k, string_to_array(n, E'\x1f'), :seller_id::bigint
from unnest(:keys::text[], :name_paths::text[]) as u (k, n) order by k
on conflict (key) do update set times = a.times + 1, last_at = now(), seller_id = excluded.seller_id;

-- name: asked_categories(most)
select names, seller_id, times, last_at from catalog.category_asked where not refused order by last_at desc limit :most;

-- name: decided(key)
delete from catalog.category_asked where key = :key returning key;

-- name: refuse_asked(key)
update catalog.category_asked set refused = true where key = :key returning key;

-- name: open_seller(seller_id, version, is_open)
insert into catalog.seller as s (seller_id, version, is_open) values (:seller_id, :version, :is_open)
on conflict (seller_id) do update set version = excluded.version, is_open = excluded.is_open
    where s.version < excluded.version
returning true;

-- name: retell_all(kind, ids)
insert into catalog.retelling (kind, id) select :kind, i from unnest(:ids::bigint[]) i order by i
on conflict (kind, id) do update set after = 0;

-- name: next_retelling
select kind, id, after from catalog.retelling order by kind, id limit 1 for update skip locked;

-- name: of_category(category_id, after, most)
select product_id from catalog.product where category_id = :category_id and product_id > :after
order by product_id limit :most;

-- name: sold_by(seller_id, after, most)
select distinct product_id from catalog.offer where seller_id = :seller_id and product_id > :after
order by product_id limit :most;

-- name: retold(kind, id, after)
update catalog.retelling set after = :after where kind = :kind and id = :id;

-- name: retold_all(kind, id)
delete from catalog.retelling where kind = :kind and id = :id;

-- name: known(seller_id, external_ids, product_ids)
-- A seller's products by their external ids, and those that have none by our own.
select 'external' as kind, external_id as named, product_id, content from catalog.product
where seller_id = :seller_id and external_id = any(:external_ids::text[])
union all
select 'product', product_id::text, product_id, content from catalog.product
where seller_id = :seller_id and product_id = any(:product_ids::bigint[]) and external_id is null;

-- name: known_by_sku(seller_id, keys)
select 'sku' as kind, k.key as named, p.product_id, p.content
from catalog.sku k join catalog.product p using (product_id)
where k.key = any(:keys::text[]) and p.seller_id = :seller_id
order by k.key, p.product_id desc;

-- name: standing(product_ids)
-- Products as they are, for rows of files that say only some of it.
select p.product_id, p.title, p.description, p.brand, p.category_id, p.attributes::text, p.options::text, p.tags,
    p.images::text, p.rating, p.review_count, p.histogram, p.popularity, p.created_at,
    (select json_agg(json_build_object('key', k.key, 'place', k.place, 'options', k.options) order by k.place, k.sku_id)
        from catalog.sku k where k.product_id = p.product_id)::text as skus
from catalog.product p where p.product_id = any(:product_ids::bigint[]);

-- name: lock(product_ids)
-- Whoever changes products or their offers locks the products first, in this order.
select product_id from catalog.product where product_id = any(:product_ids::bigint[]) order by product_id for update;

-- name: stage
-- Rows of an import wait here for the statements that take them in. `known`: it is there already.
create temporary table if not exists staged_product (
    product_id bigint, seller_id bigint, external_id text, title text, description text, brand text,
    category_id bigint, attributes text, options text, tags text[], images text, rating float8, review_count int,
    histogram int[], popularity int, content bytea, created_at timestamptz, known boolean, overrules boolean
) on commit delete rows;

-- name: stage_offers
create temporary table if not exists staged_offer (
    offer_id bigint, sku_id bigint, seller_id bigint, seller_name text, product_id bigint, external_id text, key text,
    place int, options text, price bigint, currency text, status text, in_stock boolean, stock_version int,
    overrules boolean
) on commit delete rows;

-- name: change_products
-- What overrules is compared with what stands; else with what the source said before.
update catalog.product p set title = s.title, description = s.description, category_id = s.category_id, brand = s.brand,
    attributes = s.attributes::jsonb, options = s.options::jsonb, tags = s.tags, images = s.images::jsonb,
    rating = case when p.rating_version = 0 then s.rating else p.rating end,
    review_count = case when p.rating_version = 0 then s.review_count else p.review_count end,
    histogram = case when p.rating_version = 0 then s.histogram else p.histogram end,
    popularity = s.popularity, content = s.content
from staged_product s
where s.known and p.product_id = s.product_id and case when s.overrules
    then (p.title, p.description, p.category_id, p.brand, p.attributes, p.options, p.tags, p.images) is distinct from
        (s.title, s.description, s.category_id, s.brand, s.attributes::jsonb, s.options::jsonb, s.tags, s.images::jsonb)
    else p.content is distinct from s.content end
returning p.product_id;

-- name: take_products
-- Another import may have added one meanwhile.
insert into catalog.product as p (product_id, seller_id, external_id, title, description, category_id, brand,
    attributes, options, tags, images, rating, review_count, histogram, popularity, content, created_at)
select product_id, seller_id, external_id, title, description, category_id, brand, attributes::jsonb,
    options::jsonb, tags, images::jsonb, rating, review_count, histogram, popularity, content, created_at
from staged_product where not known
order by external_id
on conflict (seller_id, external_id) do update set title = excluded.title, description = excluded.description,
    category_id = excluded.category_id, brand = excluded.brand, attributes = excluded.attributes,
    options = excluded.options, tags = excluded.tags, images = excluded.images,
    popularity = excluded.popularity, content = excluded.content
    where p.content is distinct from excluded.content
returning product_id;

-- name: find_staged
update staged_offer s set product_id = p.product_id
from catalog.product p
where s.product_id is null and p.seller_id = s.seller_id and p.external_id = s.external_id;

-- name: take_skus
insert into catalog.sku as k (sku_id, product_id, key, place, options)
select s.sku_id, s.product_id, s.key, s.place, s.options::jsonb
from staged_offer s
order by s.product_id, s.key
on conflict (product_id, key) do update set options = excluded.options, place = excluded.place
    where (k.options, k.place) is distinct from (excluded.options, excluded.place)
returning product_id;

-- name: take_offers(shop_currency)
-- An offer whose price or status the seller has changed since is theirs: an import that is not theirs leaves it as
-- it is. Without a price or a status what stands stays. `added`: the offer is new.
with taken as (
insert into catalog.offer as o (offer_id, sku_id, product_id, seller_id, seller_name, price, currency, status, in_stock,
    stock_version)
select n.offer_id, n.sku_id, n.product_id, n.seller_id, n.seller_name, n.price, n.currency,
    case when n.price = 0 or n.currency <> :shop_currency then 'draft' else n.status end, n.in_stock, n.stock_version
from (
    select s.offer_id, k.sku_id, s.product_id, s.seller_id, s.seller_name, s.in_stock, s.stock_version,
        case when s.price > 0 then s.price else coalesce(now.price, 0) end as price,
        case when s.price > 0 or now.price is null then s.currency else now.currency end as currency,
        coalesce(s.status, now.status, 'active') as status
    from staged_offer s
    join catalog.sku k on k.product_id = s.product_id and k.key = s.key
    left join catalog.offer now on now.sku_id = k.sku_id and now.seller_id = s.seller_id
) as n
order by n.offer_id
on conflict (sku_id, seller_id) do update set price = excluded.price, currency = excluded.currency,
    status = excluded.status
    where (o.price, o.currency, o.status) is distinct from (excluded.price, excluded.currency, excluded.status)
        and (not o.by_hand or (select bool_or(s.overrules) from staged_offer s where s.product_id = o.product_id))
returning o.product_id, o.offer_id, o.sku_id, old.offer_id is null as added
)
select t.product_id, t.offer_id, t.added, k.key from taken t join catalog.sku k using (sku_id);

-- name: staged_standing
-- Which offers the staged ones are, of those that were there before.
select s.offer_id as staged, s.product_id, s.key, o.offer_id
from staged_offer s
join catalog.sku k on k.product_id = s.product_id and k.key = s.key
join catalog.offer o on o.sku_id = k.sku_id and o.seller_id = s.seller_id
where o.offer_id <> s.offer_id;

-- name: tell(product_ids)
-- Raises the version of these products and tells each of them whole, once.
with locked as materialized (
    select product_id from catalog.product where product_id = any(:product_ids::bigint[])
    order by product_id for update
), raised as (
    update catalog.product p set version = p.version + 1 from locked l where p.product_id = l.product_id
    returning p.*
)
select count(events.tell_json('ProductChanged', jsonb_build_object('event', 'ProductChanged',
    'product_id', r.product_id, 'version', r.version, 'document', catalog.document(r::catalog.product))::text)) as told
from raised r;

-- name: tell_stock(reference, seller_id, offer_ids, quantities)
-- New offers were listed with so many units each: whoever keeps the shelves follows it.
select events.tell('OffersListed', jsonb_build_object('event', 'OffersListed', 'reference', :reference::text,
    'seller_id', :seller_id::bigint, 'offers', (
        select jsonb_agg(jsonb_build_object('offer_id', u.offer_id, 'quantity', u.quantity))
        from unnest(:offer_ids::bigint[], :quantities::int[]) as u (offer_id, quantity))));

-- name: add_listing_key(seller_id, key, content, product_id, sku_id, offer_id)
-- A second transaction with the same key waits here until the first is committed, and adds nothing.
insert into catalog.listing_key (seller_id, key, content, product_id, sku_id, offer_id)
values (:seller_id, :key, :content, :product_id, :sku_id, :offer_id)
on conflict do nothing
returning true;

-- name: listed_by_key(seller_id, key)
select content, product_id, sku_id, offer_id from catalog.listing_key where seller_id = :seller_id and key = :key;

-- name: add_product(product_id, seller_id, external_id, title, description, brand, category_id, attributes, tags, images, created_at)
insert into catalog.product (product_id, seller_id, external_id, title, description, category_id, brand, attributes,
    tags, images, created_at)
values (:product_id, :seller_id, :external_id, :title, :description, :category_id, :brand, :attributes::jsonb,
    :tags, :images::jsonb, :created_at);

-- name: add_sku(sku_id, product_id)
insert into catalog.sku (sku_id, product_id, key, options) values (:sku_id, :product_id, '', '{}');

-- name: add_offer(offer_id, sku_id, product_id, seller_id, seller_name, price, currency, status, in_stock)
-- What is in stock from the beginning knows the shelf's first version.
insert into catalog.offer (offer_id, sku_id, product_id, seller_id, seller_name, price, currency, status, in_stock,
    stock_version)
values (:offer_id, :sku_id, :product_id, :seller_id, :seller_name, :price, :currency, :status, :in_stock,
    :in_stock::boolean::int);

-- name: change_offer(offer_id, price, status, currency)
update catalog.offer set price = :price, status = :status, currency = :currency, by_hand = true
where offer_id = :offer_id;

-- name: own_product(product_id, seller_id)
select title, description, category_id, brand, attributes::text, images::text
from catalog.product where product_id = :product_id and seller_id = :seller_id
for update;

-- name: listing(product_id, seller_id)
select p.title, p.description, c.slug as category, p.brand, p.attributes::text, p.images::text
from catalog.product p join catalog.category c using (category_id)
where p.product_id = :product_id and p.seller_id = :seller_id;

-- name: change_product(product_id, title, description, category_id, brand, attributes, images)
update catalog.product set title = :title, description = :description, category_id = :category_id, brand = :brand,
    attributes = :attributes::jsonb, images = :images::jsonb
where product_id = :product_id and (title, description, category_id, brand, attributes, images)
    is distinct from (:title, :description, :category_id, :brand, :attributes::jsonb, :images::jsonb)
returning true;

-- name: lock_of_offer(offer_id, seller_id)
select product_id from catalog.product
where product_id = (select product_id from catalog.offer where offer_id = :offer_id and seller_id = :seller_id)
for update;

-- name: offers(offer_ids)
-- As they are: what is active at a seller who is not is not for sale (`closed`).
select o.offer_id, o.product_id, o.sku_id, o.seller_id, o.seller_name, p.title, k.options::text, o.price, o.currency,
    o.status, catalog.is_closed(o.seller_id) as closed, o.in_stock, coalesce(p.images -> 0 ->> 'url', '') as image_url
from catalog.offer o join catalog.product p on p.product_id = o.product_id join catalog.sku k on k.sku_id = o.sku_id
where o.offer_id = any(:offer_ids::bigint[]);

-- name: of_seller(seller_id, after, status, words, most)
select o.offer_id, o.product_id, o.sku_id, o.seller_id, o.seller_name, p.title, k.options::text, o.price, o.currency,
    o.status, o.in_stock, coalesce(p.images -> 0 ->> 'url', '') as image_url
from catalog.offer o join catalog.product p on p.product_id = o.product_id join catalog.sku k on k.sku_id = o.sku_id
where o.seller_id = :seller_id and (:status::text is null or o.status = :status)
    and not exists (select from unnest(:words::text[]) word where strpos(lower(p.title), word) = 0)
    and (:after::bigint is null or o.offer_id < :after)
order by o.offer_id desc
limit :most;

-- name: of_seller_by_price(seller_id, after, status, words, most, direction)
-- `direction`: 1 with the cheapest first, -1 with the dearest.
select o.offer_id, o.product_id, o.sku_id, o.seller_id, o.seller_name, p.title, k.options::text, o.price, o.currency,
    o.status, o.in_stock, coalesce(p.images -> 0 ->> 'url', '') as image_url
from catalog.offer o join catalog.product p on p.product_id = o.product_id join catalog.sku k on k.sku_id = o.sku_id
where o.seller_id = :seller_id and (:status::text is null or o.status = :status)
    and not exists (select from unnest(:words::text[]) word where strpos(lower(p.title), word) = 0)
    and (:after::bigint is null or (o.price * :direction::bigint, o.offer_id) > (
        select last.price * :direction::bigint, last.offer_id from catalog.offer last where last.offer_id = :after))
order by o.price * :direction::bigint, o.offer_id
limit :most;

-- name: featured(product_id)
select (catalog.featured(:product_id::bigint)).offer_id;

-- name: product(product_id)
select p.product_id, p.external_id, p.title, p.description, p.brand, p.attributes::text, p.options::text, p.tags,
    p.images::text, p.rating, p.review_count, p.histogram, p.created_at, p.version, c.slug as category,
    c.slugs, c.names, (catalog.featured(p.product_id)).offer_id as featured,
    (select json_agg(json_build_object('sku_id', k.sku_id, 'options', k.options, 'offers', (
        select coalesce(json_agg(json_build_object('offer_id', o.offer_id, 'sku_id', o.sku_id, 'price', o.price,
            'currency', o.currency, 'in_stock', o.in_stock, 'seller_id', o.seller_id, 'seller_name', o.seller_name)
            order by o.in_stock desc, o.price, o.offer_id), '[]')
        from catalog.offer o
        where o.sku_id = k.sku_id and o.status = 'active' and not catalog.is_closed(o.seller_id))) order by k.place, k.sku_id)
    from catalog.sku k where k.product_id = p.product_id)::text as variants
from catalog.product p join catalog.category c using (category_id)
where p.product_id = :product_id;

-- name: cards(product_ids)
select p.product_id, catalog.document(p)::text as document
from catalog.product p where p.product_id = any(:product_ids::bigint[]);

-- name: documents(after, most)
select p.product_id, p.version, catalog.document(p)::text as document
from catalog.product p where p.product_id > :after order by p.product_id limit :most;

-- name: stock_changed(offer_ids, versions, available)
-- Offers whose stock state turned, by facts newer than what they know.
with fresh as materialized (
    select o.offer_id, o.product_id, s.version, s.available > 0 as in_stock
    from unnest(:offer_ids::bigint[], :versions::int[], :available::int[]) as s (offer_id, version, available)
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

-- name: rating_changed(product_ids, versions, ratings, reviews, histograms)
with locked as materialized (
    select product_id from catalog.product where product_id = any(:product_ids::bigint[]) order by product_id for update
)
update catalog.product p set rating = r.rating, review_count = r.reviews, rating_version = r.version,
    histogram = string_to_array(r.histogram, ',')::int[]
from unnest(:product_ids::bigint[], :versions::int[], :ratings::float8[], :reviews::int[], :histograms::text[])
    as r (product_id, version, rating, reviews, histogram)
where p.product_id = r.product_id and p.rating_version < r.version and (select count(*) from locked) > 0
returning p.product_id;

-- name: histograms(after, most)
select product_id, histogram from catalog.product
where product_id > :after and review_count > 0 order by product_id limit :most;
