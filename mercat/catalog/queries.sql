-- name: categories
select category_id, slug, name, parent_id, slugs, names from catalog.category order by names;

-- name: category_aliases
select key, category_id from catalog.category_alias;

-- name: lock_categories
-- Whoever changes the tree does it alone; products go on being put into it.
lock table catalog.category in share row exclusive mode;

-- name: category_is_there(category_id)
select exists (select from catalog.category where category_id = :category_id);

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

-- name: tell_renamed(slugs)
-- Of one key, whichever categories they are: what takes a slug that another has left comes after that.
select events.tell('CategoriesRenamed', jsonb_build_object('event', 'CategoriesRenamed',
    'category_id', 0, 'slugs', :slugs::jsonb));

-- name: drop_stale_redirects
-- A slug or a path that a category has by now leads nowhere else.
with slugs as (delete from catalog.category_redirect r using catalog.category c where c.slug = r.slug)
delete from catalog.category_alias a using catalog.category c where c.key = a.key;

-- name: moved_category(slug)
select c.category_id, c.slug, c.name, c.parent_id
from catalog.category_redirect r join catalog.category c using (category_id) where r.slug = :slug;

-- name: current_slugs(slugs)
-- What the categories that have these slugs, or had them, are called by now.
select slug as given, slug from catalog.category where slug = any(:slugs::text[])
union all
select r.slug, c.slug
from catalog.category_redirect r join catalog.category c using (category_id) where r.slug = any(:slugs::text[]);

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
select 'sku' as kind, o.sku as named, p.product_id, p.content
from catalog.offer o join catalog.product p using (product_id)
where o.seller_id = :seller_id and o.sku = any(:keys::text[]) and o.status <> 'archived' and p.seller_id = :seller_id
union all
select 'sku', k.key, p.product_id, p.content
from catalog.sku k join catalog.product p using (product_id)
where k.key = any(:keys::text[]) and k.key <> '' and p.seller_id = :seller_id;

-- name: standing(product_ids)
-- Products as they are, for rows of files that say only some of it.
select p.product_id, p.title, p.description, p.description_html, p.brand, p.tax_class, p.category_id, p.attributes::text,
    p.options::text, p.tags, p.images::text, p.rating, p.review_count, p.histogram, p.popularity, p.created_at,
    p.option_names, p.seo_title, p.seo_description,
    (select json_agg(json_build_object('key', k.key, 'place', k.place, 'options', k.options, 'sku', coalesce(o.sku, ''),
        'images', k.images) order by k.place, k.sku_id)
        from catalog.sku k left join catalog.offer o on o.sku_id = k.sku_id and o.seller_id = p.seller_id
        where k.product_id = p.product_id)::text as skus
from catalog.product p where p.product_id = any(:product_ids::bigint[]);

-- name: standing_offers(product_ids)
-- The variants of products with their seller's offers, for rows of files that say prices, states and stock alone.
select p.product_id, json_agg(json_build_object('key', k.key, 'place', k.place, 'options', k.options,
    'sku', coalesce(o.sku, ''), 'offer_id', o.offer_id) order by k.place, k.sku_id)::text as skus
from catalog.product p join catalog.sku k using (product_id)
    left join catalog.offer o on o.sku_id = k.sku_id and o.seller_id = p.seller_id
where p.product_id = any(:product_ids::bigint[])
group by p.product_id;

-- name: reprice(shop_currency, import_id, now, offer_ids, prices, compare_at_prices, sale_prices, sale_froms, sale_untils,
--     says_sales, currencies, statuses)
-- What is not said stays, and a comparison with nothing is none. What is without a price, or priced in another currency, is a draft. While a flash sale
-- lasts, the seller's own sale waits.
with told as (
    select s.offer_id, case when not s.says_sale then catalog.own_sale_of(o) when s.sale_price is not null then
            jsonb_build_object('price', s.sale_price, 'begins_at', s.sale_from, 'ends_at', s.sale_until) end as sale,
        case when s.price > 0 then s.price else o.price end as price,
        nullif(coalesce(s.compare_at_price, o.compare_at_price), 0) as compare_at_price,
        case when s.price > 0 then s.currency else o.currency end as currency, coalesce(s.status, o.status) as status
    from unnest(:offer_ids::bigint[], :prices::bigint[], :compare_at_prices::bigint[], :sale_prices::bigint[],
        :sale_froms::timestamptz[], :sale_untils::timestamptz[], :says_sales::boolean[], :currencies::text[],
        :statuses::text[]) as s (offer_id, price, compare_at_price, sale_price, sale_from, sale_until, says_sale, currency,
        status) join catalog.offer o using (offer_id)
), said as (
    select t.offer_id, t.price, t.compare_at_price, t.currency, t.sale,
        case when t.price = 0 or t.currency <> :shop_currency then 'draft' else t.status end as status
    from told t
), written as (
    update catalog.offer o set price = s.price, compare_at_price = s.compare_at_price, currency = s.currency,
        status = s.status, priced_at = :now,
        sale_price = case when o.flash is null then (s.sale ->> 'price')::bigint else o.sale_price end,
        sale_from = case when o.flash is null then (s.sale ->> 'begins_at')::timestamptz else o.sale_from end,
        sale_until = case when o.flash is null then (s.sale ->> 'ends_at')::timestamptz else o.sale_until end,
        own_sale = case when o.flash is not null then s.sale end
    from said s
    where o.offer_id = s.offer_id and (o.price, o.compare_at_price, catalog.own_sale_of(o), o.currency, o.status)
        is distinct from (s.price, s.compare_at_price, s.sale, s.currency, s.status)
    returning o.product_id, o.offer_id as id,
        case when :import_id::bigint is not null then catalog.differing(old, new) end as before,
        case when :import_id::bigint is not null then catalog.differing(new, old) end as after
), noted as (
    insert into catalog.import_change as c (import_id, kind, id, before, after)
    select :import_id::bigint, 'offer', id, before, after
    from written where :import_id::bigint is not null order by id
    on conflict (import_id, kind, id) do update set before = excluded.before || c.before, after = c.after || excluded.after
)
select product_id, id as offer_id from written;

-- name: lock(product_ids)
-- Whoever changes products or their offers locks the products first, in this order.
select product_id from catalog.product where product_id = any(:product_ids::bigint[]) order by product_id for update;

-- name: stage
-- Rows of an import wait here for the statements that take them in. `known`: it is there already.
create temporary table if not exists staged_product (
    product_id bigint, seller_id bigint, external_id text, title text, description text, description_html text,
    brand text, tax_class text, category_id bigint, attributes text, options text, tags text[], images text,
    rating float8, review_count int, histogram int[], popularity int, seo_title text, seo_description text,
    content bytea, created_at timestamptz, known boolean,
    overrules boolean
) on commit delete rows;

-- name: stage_offers
create temporary table if not exists staged_offer (
    offer_id bigint, sku_id bigint, seller_id bigint, seller_name text, product_id bigint, external_id text, key text,
    place int, options text, gtin text, weight_g int, images text, price bigint, compare_at_price bigint,
    sale_price bigint, sale_from timestamptz, sale_until timestamptz, says_sale boolean, currency text, sku text,
    status text, in_stock boolean, stock_version int, whole boolean, titled boolean, overrules boolean
) on commit delete rows;

-- name: change_products(import_id)
-- What overrules is compared with what stands; what does not, with what the source said before too. `changed`: it is
-- another product now; else only what its source says was noted.
with written as (
update catalog.product p set title = s.title, description = s.description, description_html = s.description_html,
    category_id = s.category_id, brand = s.brand, tax_class = s.tax_class, attributes = s.attributes::jsonb,
    options = s.options::jsonb,
    option_names = array(select json_object_keys(s.options::json)), tags = s.tags, images = s.images::jsonb,
    rating = case when p.rating_version = 0 then s.rating else p.rating end,
    review_count = case when p.rating_version = 0 then s.review_count else p.review_count end,
    histogram = case when p.rating_version = 0 then s.histogram else p.histogram end,
    popularity = s.popularity, seo_title = s.seo_title, seo_description = s.seo_description, content = s.content
from staged_product s
where s.known and p.product_id = s.product_id and (s.overrules or p.content is distinct from s.content)
    and (p.content is distinct from s.content
        or (p.title, p.description, p.description_html, p.category_id, p.brand, p.tax_class, p.attributes, p.options, p.tags, p.images,
            p.seo_title, p.seo_description)
            is distinct from (s.title, s.description, s.description_html, s.category_id, s.brand, s.tax_class, s.attributes::jsonb,
                s.options::jsonb, s.tags, s.images::jsonb, s.seo_title, s.seo_description))
returning p.product_id as id,
    (old.title, old.description, old.description_html, old.category_id, old.brand, old.tax_class, old.attributes, old.options, old.tags,
        old.images, old.rating, old.review_count, old.histogram, old.popularity, old.seo_title, old.seo_description)
    is distinct from (new.title, new.description, new.description_html, new.category_id, new.brand, new.tax_class, new.attributes,
        new.options, new.tags, new.images, new.rating, new.review_count, new.histogram, new.popularity, new.seo_title,
        new.seo_description) as changed,
    case when :import_id::bigint is not null then catalog.differing(old, new) end as before,
    case when :import_id::bigint is not null then catalog.differing(new, old) end as after
), noted as (
    insert into catalog.import_change as c (import_id, kind, id, before, after)
    select :import_id::bigint, 'product', id, before, after from written where :import_id::bigint is not null and before <> '{}'
    order by id
    on conflict (import_id, kind, id) do update set before = excluded.before || c.before, after = c.after || excluded.after
)
select id as product_id, changed from written;

-- name: take_products
-- Another import may have added one meanwhile.
insert into catalog.product as p (product_id, seller_id, external_id, title, description, description_html,
    category_id, brand, tax_class, attributes, options, option_names, tags, images, rating, review_count, histogram,
    popularity, seo_title, seo_description, content, created_at)
select product_id, seller_id, external_id, title, description, description_html, category_id, brand, tax_class,
    attributes::jsonb,
    options::jsonb, array(select json_object_keys(options::json)), tags, images::jsonb, rating, review_count, histogram,
    popularity, seo_title, seo_description, content, created_at
from staged_product where not known
order by external_id
on conflict (seller_id, external_id) do update set title = excluded.title, description = excluded.description,
    description_html = excluded.description_html, category_id = excluded.category_id, brand = excluded.brand,
    tax_class = excluded.tax_class,
    attributes = excluded.attributes, options = excluded.options, option_names = excluded.option_names,
    tags = excluded.tags, images = excluded.images, popularity = excluded.popularity, seo_title = excluded.seo_title,
    seo_description = excluded.seo_description, content = excluded.content
    where p.content is distinct from excluded.content
returning product_id;

-- name: find_staged
update staged_offer s set product_id = p.product_id
from catalog.product p
where s.product_id is null and p.seller_id = s.seller_id and p.external_id = s.external_id;

-- name: take_skus(import_id)
-- What a row does not say of a variant that is there stays.
with written as (
insert into catalog.sku as k (sku_id, product_id, key, place, options, gtin, weight_g, images)
select s.sku_id, s.product_id, s.key, s.place, s.options::jsonb, s.gtin, s.weight_g, s.images::jsonb
from staged_offer s
order by s.product_id, s.key
on conflict (product_id, key) do update set options = excluded.options, place = excluded.place,
    gtin = coalesce(excluded.gtin, k.gtin), weight_g = coalesce(excluded.weight_g, k.weight_g),
    images = case when excluded.images = '[]' then k.images else excluded.images end
    where (k.options, k.place, k.gtin, k.weight_g, k.images) is distinct from (excluded.options, excluded.place,
        coalesce(excluded.gtin, k.gtin), coalesce(excluded.weight_g, k.weight_g),
        case when excluded.images = '[]' then k.images else excluded.images end)
returning k.product_id, k.sku_id as id,
    case when :import_id::bigint is null or old.sku_id is null then '{}' else catalog.differing(to_jsonb(old), to_jsonb(new)) end as before,
    case when :import_id::bigint is null or old.sku_id is null then '{}' else catalog.differing(to_jsonb(new), to_jsonb(old)) end as after
), noted as (
    insert into catalog.import_change as c (import_id, kind, id, before, after)
    select :import_id::bigint, 'sku', id, before, after from written where :import_id::bigint is not null and before <> '{}'
    order by id
    on conflict (import_id, kind, id) do update set before = excluded.before || c.before, after = c.after || excluded.after
)
select product_id from written;

-- name: take_offers(shop_currency, import_id, now)
-- An offer whose price or status the seller has changed since is theirs: an import that is not theirs leaves it as
-- it is. Without a price or a status what stands stays. A SKU that another offer of the seller has stays with that
-- one. While a flash sale lasts, the seller's own sale waits. `added`: the offer is new.
with taken as (
    insert into catalog.offer as o (offer_id, sku_id, product_id, seller_id, seller_name, price, compare_at_price,
        sale_price, sale_from, sale_until, currency, sku, status, in_stock, stock_version, priced_at)
    select n.offer_id, n.sku_id, n.product_id, n.seller_id, n.seller_name, n.price, n.compare_at_price,
        n.sale_price, n.sale_from, n.sale_until, n.currency, n.sku,
        case when n.price = 0 or n.currency <> :shop_currency then 'draft' else n.status end, n.in_stock, n.stock_version,
        :now
    from (
        select s.offer_id, k.sku_id, s.product_id, s.seller_id, s.seller_name, s.in_stock, s.stock_version,
            case when s.price > 0 then s.price else coalesce(now.price, 0) end as price,
            case when s.whole and s.price > 0 then s.compare_at_price
                else coalesce(s.compare_at_price, now.compare_at_price) end as compare_at_price,
            case when s.whole or s.says_sale then s.sale_price else (own.sale ->> 'price')::bigint end as sale_price,
            case when s.whole or s.says_sale then s.sale_from else (own.sale ->> 'begins_at')::timestamptz end as sale_from,
            case when s.whole or s.says_sale then s.sale_until else (own.sale ->> 'ends_at')::timestamptz end as sale_until,
            case when s.price > 0 or now.price is null then s.currency else now.currency end as currency,
            case when s.sku <> '' and row_number() over (partition by s.sku order by s.offer_id) = 1
                and not exists (select from catalog.offer other where other.seller_id = s.seller_id
                    and other.sku = s.sku and other.status <> 'archived' and other.sku_id <> k.sku_id) then s.sku
                else now.sku end as sku,
            coalesce(s.status, case when now.status = 'archived' and s.titled then 'active' else now.status end, 'active')
                as status
        from staged_offer s
        join catalog.sku k on k.product_id = s.product_id and k.key = s.key
        left join catalog.offer now on now.sku_id = k.sku_id and now.seller_id = s.seller_id
        left join lateral (select catalog.own_sale_of(now) as sale) own on true
    ) as n
    order by n.offer_id
    on conflict (sku_id, seller_id) do update set price = excluded.price, compare_at_price = excluded.compare_at_price,
        sale_price = case when o.flash is null then excluded.sale_price else o.sale_price end,
        sale_from = case when o.flash is null then excluded.sale_from else o.sale_from end,
        sale_until = case when o.flash is null then excluded.sale_until else o.sale_until end,
        own_sale = case when o.flash is not null then catalog.sale_of(excluded) end,
        currency = excluded.currency, sku = excluded.sku, status = excluded.status, priced_at = excluded.priced_at
        where (o.price, o.compare_at_price, o.currency, o.sku, o.status, catalog.own_sale_of(o)) is distinct from
                (excluded.price, excluded.compare_at_price, excluded.currency, excluded.sku, excluded.status,
                catalog.sale_of(excluded))
            and (not o.by_hand or (select bool_or(s.overrules) from staged_offer s where s.product_id = o.product_id))
    returning o.product_id, o.offer_id as id, o.sku_id, old.offer_id is null as added,
        case when :import_id::bigint is null then '{}' when old.offer_id is null then jsonb_build_object('status', 'archived')
            else catalog.differing(old, new) end as before,
        case when :import_id::bigint is null then '{}' when old.offer_id is null then jsonb_build_object('status', new.status)
            else catalog.differing(new, old) end as after
), noted as (
    insert into catalog.import_change as c (import_id, kind, id, before, after)
    select :import_id::bigint, 'offer', id, before, after from taken where :import_id::bigint is not null and before <> '{}'
    order by id
    on conflict (import_id, kind, id) do update set before = excluded.before || c.before, after = c.after || excluded.after
)
select t.product_id, t.id as offer_id, t.added, k.key from taken t join catalog.sku k using (sku_id);

-- name: staged_standing
-- Which offers the staged ones are, of those that were there before.
select s.offer_id as staged, s.product_id, s.key, o.offer_id
from staged_offer s
join catalog.sku k on k.product_id = s.product_id and k.key = s.key
join catalog.offer o on o.sku_id = k.sku_id and o.seller_id = s.seller_id
where o.offer_id <> s.offer_id;

-- name: tell(product_ids, now)
-- Raises the version of these products and tells each of them whole, once. A statement before has locked them, so
-- that this one reads what the last writer left. Documents are made first, and once: where the planner takes the tables for
-- empty, it would make all of them again for each product.
with documents as materialized (
    select * from catalog.documents(:product_ids::bigint[], :now)
), locked as materialized (
    select product_id from catalog.product where product_id = any(:product_ids::bigint[])
    order by product_id for update
), raised as (
    update catalog.product p set version = p.version + 1, changed_at = now() from locked l where p.product_id = l.product_id
    returning p.product_id, p.version
)
select count(events.tell_json('ProductChanged', jsonb_build_object('event', 'ProductChanged',
    'product_id', r.product_id, 'version', r.version, 'document', d.document)::text)) as told
from raised r left join documents d using (product_id);

-- name: due_flips(now, most)
-- Products of which a sale has begun or ended since they were told.
select distinct due.product_id from (
    select product_id from catalog.offer where flips_at <= :now order by flips_at limit :most) due;

-- name: flipped(product_ids, now)
update catalog.offer set flips_at = case when sale_until > :now then sale_until end
where product_id = any(:product_ids::bigint[]) and flips_at <= :now;

-- name: prune_prices(after, now, limit_to)
-- What `catalog.lowest_price_at` can still ask for stays: the thirty days before a reduction that is shown, or that is
-- shown once a sale is over, and the last thirty days.
with batch as materialized (
    select distinct offer_id from catalog.former_price where offer_id > :after order by offer_id limit :limit_to
), began as (
    select o.offer_id, least(:now::timestamptz,
        (select max(f.until) from catalog.former_price f where f.offer_id = o.offer_id and f.price <> o.price),
        (select max(f.until) from catalog.former_price f
            where f.offer_id = o.offer_id and f.sale_price is distinct from o.sale_price)) as first
    from batch join catalog.offer o using (offer_id)
), gone as (
    delete from catalog.former_price f using began b
    where f.offer_id = b.offer_id and f.until <= b.first - interval '30 days'
)
select max(offer_id) from batch;

-- name: next_flip
select min(flips_at) from catalog.offer where flips_at is not null;

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
select l.content, l.product_id, l.sku_id, l.offer_id, own.skus, own.offers
from catalog.listing_key l cross join lateral (
    select array_agg(k.sku_id order by k.place, k.sku_id) as skus, array_agg(o.offer_id order by k.place, k.sku_id) as offers
    from catalog.sku k join catalog.offer o using (sku_id)
    where k.product_id = l.product_id and o.seller_id = l.seller_id) own
where l.seller_id = :seller_id and l.key = :key;

-- name: add_product(product_id, seller_id, external_id, title, description, description_html, brand, tax_class, category_id,
--     attributes, options, option_names, tags, images, created_at)
insert into catalog.product (product_id, seller_id, external_id, title, description, description_html, category_id,
    brand, tax_class, attributes, options, option_names, tags, images, created_at)
values (:product_id, :seller_id, :external_id, :title, :description, :description_html, :category_id, :brand, :tax_class,
    :attributes::jsonb, :options::jsonb, :option_names, :tags, :images::jsonb, :created_at);

-- name: taken_skus(seller_id, product_id, skus)
-- Those that name an offer of another of the seller's products.
select sku from catalog.offer where seller_id = :seller_id and product_id <> :product_id
    and sku = any(:skus::text[]) and status <> 'archived';

-- name: free_keys(product_id, sku_ids, keys)
-- Two variants may change names with each other: whoever has a name that another one gets gives it up first.
update catalog.sku k set key = '~' || k.sku_id
where k.product_id = :product_id and k.key = any(:keys::text[]) and (k.sku_id, k.key) not in (
    select u.sku_id, u.key from unnest(:sku_ids::bigint[], :keys::text[]) as u (sku_id, key));

-- name: free_skus(product_id, seller_id, offer_ids, skus)
update catalog.offer o set sku = null
where o.product_id = :product_id and o.seller_id = :seller_id and o.sku = any(:skus::text[]) and (o.offer_id, o.sku) not in (
    select u.offer_id, u.sku from unnest(:offer_ids::bigint[], :skus::text[]) as u (offer_id, sku) where u.sku is not null);

-- name: put_skus(product_id, rows)
insert into catalog.sku as k (sku_id, product_id, key, place, options, gtin, weight_g, images)
select r.sku_id, :product_id, r.key, r.place, r.options, r.gtin, r.weight_g, r.images
from jsonb_to_recordset(:rows::jsonb) as r (sku_id bigint, key text, place int, options jsonb, gtin text, weight_g int,
    images jsonb)
on conflict (sku_id) do update set key = excluded.key, place = excluded.place, options = excluded.options,
    gtin = excluded.gtin, weight_g = excluded.weight_g, images = excluded.images
    where (k.key, k.place, k.options, k.gtin, k.weight_g, k.images) is distinct from
        (excluded.key, excluded.place, excluded.options, excluded.gtin, excluded.weight_g, excluded.images)
returning true;

-- name: put_offers(product_id, seller_id, seller_name, rows, now)
-- What is in stock from the beginning knows the shelf's first version. What was changed is its seller's own from now
-- on: an import leaves it as it is.
insert into catalog.offer as o (offer_id, sku_id, product_id, seller_id, seller_name, price, compare_at_price, sale_price,
    sale_from, sale_until, currency, sku, status, in_stock, stock_version, priced_at, quantity_rules)
select r.offer_id, r.sku_id, :product_id, :seller_id, :seller_name, r.price, r.compare_at_price, r.sale_price, r.sale_from,
    r.sale_until, r.currency, r.sku, r.status, r.in_stock, r.in_stock::int, :now, nullif(r.quantity_rules, 'null')
from jsonb_to_recordset(:rows::jsonb) as r (offer_id bigint, sku_id bigint, price bigint, compare_at_price bigint,
    sale_price bigint, sale_from timestamptz, sale_until timestamptz, currency text, sku text, status text,
    in_stock boolean, quantity_rules jsonb)
on conflict (offer_id) do update set price = excluded.price, compare_at_price = excluded.compare_at_price,
    sale_price = case when o.flash is null then excluded.sale_price else o.sale_price end,
    sale_from = case when o.flash is null then excluded.sale_from else o.sale_from end,
    sale_until = case when o.flash is null then excluded.sale_until else o.sale_until end,
    currency = excluded.currency, sku = excluded.sku, status = excluded.status, by_hand = true,
    priced_at = excluded.priced_at, quantity_rules = excluded.quantity_rules
    where (o.price, o.compare_at_price, o.sale_price, o.sale_from, o.sale_until, o.currency, o.sku, o.status,
        o.quantity_rules) is distinct from (excluded.price, excluded.compare_at_price, excluded.sale_price,
            excluded.sale_from, excluded.sale_until, excluded.currency, excluded.sku, excluded.status,
            excluded.quantity_rules)
returning true;

-- name: archive_offers(product_id, seller_id, kept)
update catalog.offer set status = 'archived', by_hand = true
where product_id = :product_id and seller_id = :seller_id and status <> 'archived'
    and not (offer_id = any(:kept::bigint[]))
returning true;

-- name: change_offer(offer_id, price, compare_at_price, sale_price, sale_from, sale_until, status, currency, now,
--     quantity_rules)
update catalog.offer set price = :price, compare_at_price = :compare_at_price, sale_price = :sale_price,
    sale_from = :sale_from, sale_until = :sale_until, status = :status, currency = :currency, by_hand = true,
    priced_at = :now, quantity_rules = :quantity_rules::jsonb
where offer_id = :offer_id;

-- name: lock_offered(offer_id)
select product_id from catalog.product
where product_id = (select product_id from catalog.offer where offer_id = :offer_id) for update;

-- name: set_flash_price(offer_id, sale_id, price, begins_at, ends_at, now)
-- The seller's own sale waits until the flash sale is over.
update catalog.offer o set own_sale = case when o.flash is null then catalog.sale_of(o) else o.own_sale end, flash = :sale_id,
    sale_price = :price, sale_from = :begins_at, sale_until = :ends_at, priced_at = :now
where o.offer_id = :offer_id and coalesce(o.flash, :sale_id) = :sale_id and o.price > :price
returning true;

-- name: end_flash_price(offer_id, sale_id, now)
update catalog.offer set sale_price = (own_sale ->> 'price')::bigint, sale_from = (own_sale ->> 'begins_at')::timestamptz,
    sale_until = (own_sale ->> 'ends_at')::timestamptz, flash = null, own_sale = null, priced_at = :now
where offer_id = :offer_id and flash = :sale_id
returning true;

-- name: lock_own(product_id, seller_id)
select product_id from catalog.product where product_id = :product_id and seller_id = :seller_id for update;

-- name: listing(product_id, seller_id)
select p.title, p.description, p.description_html, p.brand, p.tax_class, c.slug as category, p.category_id, p.attributes::text,
    p.images::text, p.options::text, p.option_names, p.external_id, p.created_at,
    (select json_agg(json_build_object('sku_id', k.sku_id, 'offer_id', o.offer_id, 'options', k.options, 'sku', o.sku,
        'gtin', k.gtin, 'price', o.price, 'compare_at_price', o.compare_at_price, 'sale', catalog.sale_of(o),
        'quantity_rules', o.quantity_rules, 'currency', o.currency, 'status', o.status, 'weight_g', k.weight_g, 'images', k.images) order by k.place, k.sku_id)
    from catalog.sku k join catalog.offer o on o.sku_id = k.sku_id and o.seller_id = p.seller_id
    where k.product_id = p.product_id)::text as variants,
    (select o.seller_name from catalog.offer o where o.product_id = p.product_id and o.seller_id = p.seller_id limit 1)
        as seller_name,
    p.hidden_because
from catalog.product p join catalog.category c using (category_id)
where p.product_id = :product_id and p.seller_id = :seller_id;

-- name: change_product(product_id, title, description, description_html, brand, tax_class, category_id, attributes, images,
--     options, option_names)
update catalog.product set title = :title, description = :description, description_html = :description_html,
    category_id = coalesce(:category_id, category_id), brand = :brand, tax_class = :tax_class, attributes = :attributes::jsonb,
    images = :images::jsonb, options = :options::jsonb, option_names = :option_names
where product_id = :product_id and (title, description, description_html, category_id, brand, tax_class, attributes, images,
    options, option_names) is distinct from (:title, :description, :description_html, coalesce(:category_id, category_id), :brand, :tax_class,
    :attributes::jsonb, :images::jsonb, :options::jsonb, :option_names)
returning true;

-- name: listings(seller_id, after, words, status, category, sku, most)
-- A seller's products, the newest first. The status of one is that of its liveliest offer.
select p.product_id, p.title, p.brand, p.created_at, c.slug as category, own.status, own.price, own.currency, own.offers,
    p.hidden_because, coalesce(p.images -> 0 ->> 'url', '') as image_url
from catalog.product p join catalog.category c using (category_id) cross join lateral (
    select (array['active', 'paused', 'draft', 'archived'])[
            min(array_position(array['active', 'paused', 'draft', 'archived'], o.status))] as status,
        (array_agg(o.price order by o.status = 'archived', o.price))[1] as price,
        (array_agg(o.currency order by o.status = 'archived', o.price))[1] as currency,
        array_agg(o.offer_id order by o.offer_id) as offers, array_agg(o.sku) as skus
    from catalog.offer o where o.product_id = p.product_id and o.seller_id = p.seller_id) own
where p.seller_id = :seller_id and (:after::bigint is null or p.product_id < :after)
    and not exists (select from unnest(:words::text[]) word where strpos(lower(p.title), word) = 0)
    and case when :status::text is null then own.status <> 'archived' else own.status = :status end
    and (:category::text is null or :category = any(c.slugs))
    and (:sku::text is null or :sku = any(own.skus))
order by p.product_id desc
limit :most;

-- name: lock_of_offer(offer_id, seller_id)
select product_id from catalog.product
where product_id = (select product_id from catalog.offer
    where offer_id = :offer_id and seller_id = :seller_id and status <> 'archived')
for update;

-- name: offered_variants(product_id, gtin, sku_id)
-- What somebody means who has the same to sell: variants that are offered, by the product, the barcode or their id.
select k.product_id, k.sku_id from catalog.sku k
where (:product_id::bigint is null or k.product_id = :product_id)
    and (:gtin::text is null or k.gtin is not null and ltrim(k.gtin, '0') = ltrim(:gtin, '0'))
    and (:sku_id::bigint is null or k.sku_id = :sku_id)
    and exists (select from catalog.offer o where o.sku_id = k.sku_id and o.status <> 'archived')
    and not catalog.is_hidden(k.product_id)
order by k.sku_id
limit 2;

-- name: add_offer(offer_id, sku_id, product_id, seller_id, seller_name, price, currency, sku, condition, in_stock,
--     compare_at_price, sale_price, sale_from, sale_until, now, quantity_rules)
-- One that was archived comes back under its own id. Nothing is returned where the seller has one already.
insert into catalog.offer as o (offer_id, sku_id, product_id, seller_id, seller_name, price, currency, sku, condition,
    status, in_stock, stock_version, compare_at_price, sale_price, sale_from, sale_until, priced_at, quantity_rules)
values (:offer_id, :sku_id, :product_id, :seller_id, :seller_name, :price, :currency, :sku, :condition, 'active',
    :in_stock, :in_stock::boolean::int, :compare_at_price, :sale_price, :sale_from, :sale_until, :now,
    :quantity_rules::jsonb)
on conflict (sku_id, seller_id) do update set price = excluded.price, currency = excluded.currency, sku = excluded.sku,
    condition = excluded.condition, status = 'active', seller_name = excluded.seller_name,
    compare_at_price = excluded.compare_at_price, sale_price = excluded.sale_price, sale_from = excluded.sale_from,
    sale_until = excluded.sale_until, priced_at = excluded.priced_at, quantity_rules = excluded.quantity_rules
    where o.status = 'archived'
returning offer_id;

-- name: rivals(offer_id, seller_id, now)
-- A seller's offer and the active ones of the same variant, by the rule that features one.
select o.offer_id, catalog.price_at(o, :now) as price, o.currency, case when catalog.is_hidden(o.product_id) then 'paused' else o.status end as status,
    o.in_stock, o.condition, o.offer_id = :offer_id::bigint as own
from catalog.offer o
where o.sku_id = (select sku_id from catalog.offer
        where offer_id = :offer_id and seller_id = :seller_id and status <> 'archived')
    and (o.status = 'active' and not catalog.is_closed(o.seller_id) or o.offer_id = :offer_id)
order by o.status <> 'active', not o.in_stock, o.condition <> 'new', catalog.price_at(o, :now), o.offer_id;

-- name: offers(offer_ids)
-- As they are: what is active at a seller who is not, or hidden, is not for sale (`closed`).
select o.offer_id, o.product_id, o.sku_id, o.seller_id, o.seller_name, p.title, k.options::text, o.price, o.compare_at_price, o.sale_price,
    o.sale_from, o.sale_until, o.flash, o.quantity_rules::text, o.currency, o.condition, o.status, catalog.is_closed(o.seller_id) or p.hidden_at is not null as closed, p.hidden_because, o.in_stock,
    coalesce(k.images -> 0 ->> 'url', p.images -> 0 ->> 'url', '') as image_url, k.weight_g, p.brand, p.tags, p.tax_class,
    c.slugs, p.category_id
from catalog.offer o join catalog.product p on p.product_id = o.product_id join catalog.sku k on k.sku_id = o.sku_id
    join catalog.category c on c.category_id = p.category_id
where o.offer_id = any(:offer_ids::bigint[]);

-- name: of_seller(seller_id, after, status, words, most, only)
select o.offer_id, o.product_id, o.sku_id, o.seller_id, o.seller_name, p.title, k.options::text, o.price, o.compare_at_price, o.sale_price,
    o.sale_from, o.sale_until, o.flash, o.quantity_rules::text, o.currency, o.condition, o.status, p.hidden_because, o.in_stock, coalesce(k.images -> 0 ->> 'url', p.images -> 0 ->> 'url', '') as image_url,
    k.weight_g, p.brand, p.tags, p.tax_class, c.slugs, p.category_id
from catalog.offer o join catalog.product p on p.product_id = o.product_id join catalog.sku k on k.sku_id = o.sku_id
    join catalog.category c on c.category_id = p.category_id
where o.seller_id = :seller_id and case when :status::text is null then o.status <> 'archived' else o.status = :status end
    and not exists (select from unnest(:words::text[]) word where strpos(lower(p.title), word) = 0)
    and (:after::bigint is null or o.offer_id < :after)
    and (:only::bigint[] is null or o.offer_id = any(:only))
order by o.offer_id desc
limit :most;

-- name: of_seller_by_price(seller_id, after, status, words, most, direction)
-- `direction`: 1 with the cheapest first, -1 with the dearest.
select o.offer_id, o.product_id, o.sku_id, o.seller_id, o.seller_name, p.title, k.options::text, o.price, o.compare_at_price, o.sale_price,
    o.sale_from, o.sale_until, o.flash, o.quantity_rules::text, o.currency, o.condition, o.status, p.hidden_because, o.in_stock, coalesce(k.images -> 0 ->> 'url', p.images -> 0 ->> 'url', '') as image_url,
    k.weight_g, p.brand, p.tags, p.tax_class, c.slugs, p.category_id
from catalog.offer o join catalog.product p on p.product_id = o.product_id join catalog.sku k on k.sku_id = o.sku_id
    join catalog.category c on c.category_id = p.category_id
where o.seller_id = :seller_id and case when :status::text is null then o.status <> 'archived' else o.status = :status end
    and not exists (select from unnest(:words::text[]) word where strpos(lower(p.title), word) = 0)
    and (:after::bigint is null or (o.price * :direction::bigint, o.offer_id) > (
        select last.price * :direction::bigint, last.offer_id from catalog.offer last where last.offer_id = :after))
order by o.price * :direction::bigint, o.offer_id
limit :most;

-- name: featured(product_id, now)
select (catalog.featured(:product_id::bigint, :now)).offer_id;

-- name: product(product_id, now)
-- A variant that nobody offers any more is none; `gone`: there is no other, or the product is hidden. `unlisted`: all
-- that there is of it is a draft.
select p.product_id, p.external_id, p.title, p.description, p.description_html, p.brand, p.tax_class, p.attributes::text,
    p.options::text, p.option_names, p.tags, p.images::text, p.rating, p.review_count, p.histogram, p.created_at,
    p.seo_title, p.seo_description, p.version, c.slug as category, c.slugs, c.names,
    (catalog.featured(p.product_id, :now)).offer_id as featured,
    p.hidden_at is not null
        or not exists (select from catalog.offer o where o.product_id = p.product_id and o.status <> 'archived') as gone,
    not exists (select from catalog.offer o where o.product_id = p.product_id and o.status not in ('archived', 'draft'))
        as unlisted,
    (select json_agg(json_build_object('sku_id', k.sku_id, 'options', k.options, 'gtin', k.gtin, 'images', k.images,
        'sku', own.sku, 'offers', coalesce(own.active, '[]')) order by k.place, k.sku_id)
    from catalog.sku k cross join lateral (
        select count(*) filter (where o.status <> 'archived') as live,
            min(o.sku) filter (where o.seller_id = p.seller_id) as sku,
            json_agg(json_build_object('offer_id', o.offer_id, 'sku_id', o.sku_id, 'price', catalog.price_at(o, :now),
                'regular_price', o.price, 'was_price', catalog.was_price_at(o, :now), 'compare_at_price', o.compare_at_price,
                'sale', catalog.sale_of(o), 'lowest_price_30_days', catalog.lowest_price_at(o, :now),
                'quantity_rules', o.quantity_rules,
                'currency', o.currency, 'condition', o.condition,
                'in_stock', o.in_stock, 'seller_id', o.seller_id, 'seller_name', o.seller_name)
                order by not o.in_stock, o.condition <> 'new', catalog.price_at(o, :now), o.offer_id)
                filter (where o.status = 'active' and not catalog.is_closed(o.seller_id)) as active
        from catalog.offer o where o.sku_id = k.sku_id) own
    where k.product_id = p.product_id and own.live > 0)::text as variants
from catalog.product p join catalog.category c using (category_id)
where p.product_id = :product_id;

-- name: cards(product_ids, now)
with documents as materialized (select * from catalog.documents(:product_ids::bigint[], :now))
select p.product_id, d.document::text as document
from catalog.product p left join documents d using (product_id)
where p.product_id = any(:product_ids::bigint[]);

-- name: names(product_ids)
select p.product_id, p.title, coalesce(p.images -> 0 ->> 'url', '') as image_url
from catalog.product p where p.product_id = any(:product_ids::bigint[]);

-- name: shelved(product_ids)
select p.product_id, p.title, c.slug as category, c.names[array_upper(c.names, 1)] as category_name
from catalog.product p join catalog.category c using (category_id)
where p.product_id = any(:product_ids::bigint[]);

-- name: variants_for_sale(product_ids)
select k.product_id, k.sku_id, k.options::text, k.gtin, array_agg(o.offer_id) as offer_ids
from catalog.sku k join catalog.offer o on o.product_id = k.product_id and o.sku_id = k.sku_id
where k.product_id = any(:product_ids::bigint[]) and o.status = 'active'
group by k.sku_id order by k.product_id, k.place, k.sku_id;

-- name: documents(after, most, now)
with page as (
    select product_id, version from catalog.product where product_id > :after order by product_id limit :most
), documents as materialized (
    select * from catalog.documents(array(select product_id from page), :now)
)
select p.product_id, p.version, d.document::text as document
from page p left join documents d using (product_id)
order by p.product_id;

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

-- name: any_products(words, whole, status, seller_id, before, most)
select * from catalog.any_product p
where (not exists (select from unnest(:words::text[]) word where strpos(lower(p.title), word) = 0)
        or p.external_id = :whole::text)
    and (:seller_id::bigint is null or p.seller_id = :seller_id) and (:before::bigint is null or p.product_id < :before)
    and (:status::text is null or p.status = :status)
order by p.product_id desc
limit :most;

-- name: hidden_products(words, whole, seller_id, before, most)
-- Of these there are few: the index has them alone.
select * from catalog.any_product p
where p.hidden_at is not null
    and (not exists (select from unnest(:words::text[]) word where strpos(lower(p.title), word) = 0)
        or p.external_id = :whole::text)
    and (:seller_id::bigint is null or p.seller_id = :seller_id) and (:before::bigint is null or p.product_id < :before)
order by p.product_id desc
limit :most;

-- name: any_product(product_id)
select * from catalog.any_product where product_id = :product_id;

-- name: count_hidden
select count(*) from catalog.product where hidden_at is not null;

-- name: moderate(product_id, hidden, reason, now, category_id)
-- The time is that of the first hiding, the reason the last one's.
update catalog.product set category_id = coalesce(:category_id, category_id),
    hidden_at = case when :hidden::boolean is null then hidden_at when :hidden then coalesce(hidden_at, :now) end,
    hidden_because = case when :hidden is null then hidden_because when :hidden then :reason::text else '' end
where product_id = :product_id and (category_id, hidden_at is not null, hidden_because) is distinct from (
    coalesce(:category_id, category_id), coalesce(:hidden, hidden_at is not null),
    case when :hidden is null then hidden_because when :hidden then :reason else '' end)
returning true;

-- name: exported(after, most)
select * from catalog.exported_product where product_id > :after order by product_id limit :most;

-- name: exported_of_seller(seller_id, after, most)
select * from catalog.exported_product where seller_id = :seller_id and product_id > :after
order by product_id limit :most;

-- name: option_names_of(seller_id, most)
select k.name from catalog.product p, jsonb_object_keys(p.options) as k (name)
where :seller_id::bigint is null or p.seller_id = :seller_id
group by k.name order by count(*) desc, k.name limit :most;

-- name: attribute_names_of(seller_id, most)
select k.name from catalog.product p, jsonb_object_keys(p.attributes) as k (name)
where :seller_id::bigint is null or p.seller_id = :seller_id
group by k.name order by count(*) desc, k.name limit :most;

-- name: most_options_of(seller_id)
select coalesce(max((select count(*) from jsonb_object_keys(p.options))), 0) from catalog.product p
where :seller_id::bigint is null or p.seller_id = :seller_id;

-- name: due_changes(import_id, kind, id, most)
-- What an import changed and was not put back yet, after one of them, with its product.
select c.kind, c.id, case c.kind when 'product' then c.id
        when 'sku' then (select product_id from catalog.sku where sku_id = c.id)
        else (select product_id from catalog.offer where offer_id = c.id) end as product_id
from catalog.import_change c
where c.import_id = :import_id and (c.kind, c.id) > (:kind::text, :id::bigint) and c.undone is null
order by c.kind, c.id limit :most;

-- name: undo_products(import_id, ids)
with due as materialized (
    select p.product_id, c.before, catalog.unchanged_since(to_jsonb(p), c.before, c.after)
        - case when exists (select from catalog.category where category_id = (c.before ->> 'category_id')::bigint)
            then '' else 'category_id' end as back
    from catalog.import_change c join catalog.product p on p.product_id = c.id
    where c.import_id = :import_id and c.kind = 'product' and c.id = any(:ids::bigint[])
), former as materialized (
    select r.* from due d join catalog.product p using (product_id), jsonb_populate_record(p, d.back) r
), written as (
    update catalog.product p set title = r.title, description = r.description, description_html = r.description_html,
        category_id = r.category_id, brand = r.brand, tax_class = r.tax_class, attributes = r.attributes, options = r.options,
        option_names = r.option_names, tags = r.tags, images = r.images, popularity = r.popularity, rating = r.rating,
        review_count = r.review_count, histogram = r.histogram, seo_title = r.seo_title,
        seo_description = r.seo_description, content = null
    from former r where p.product_id = r.product_id
)
update catalog.import_change c set undone = case when d.back = d.before then 'back' when d.back = '{}' then 'left' else 'partly' end
from due d where c.import_id = :import_id and c.kind = 'product' and c.id = d.product_id
returning d.product_id;

-- name: undo_skus(import_id, ids)
with due as materialized (
    select k.sku_id, k.product_id, c.before, catalog.unchanged_since(to_jsonb(k), c.before, c.after) as back
    from catalog.import_change c join catalog.sku k on k.sku_id = c.id
    where c.import_id = :import_id and c.kind = 'sku' and c.id = any(:ids::bigint[])
), former as materialized (
    select r.* from due d join catalog.sku k using (sku_id), jsonb_populate_record(k, d.back) r
), written as (
    update catalog.sku k set options = r.options, place = r.place, gtin = r.gtin, weight_g = r.weight_g, images = r.images
    from former r where k.sku_id = r.sku_id
)
update catalog.import_change c set undone = case when d.back = d.before then 'back' when d.back = '{}' then 'left' else 'partly' end
from due d where c.import_id = :import_id and c.kind = 'sku' and c.id = d.sku_id
returning d.product_id;

-- name: undo_offers(import_id, ids, now)
-- A SKU that another offer has by now stays there, and what would be for sale without a price, or in another currency
-- than the shop's, keeps its own. While a flash sale lasts, the seller's own sale waits.
with unchanged as materialized (
    select o.offer_id, c.before, catalog.unchanged_since(catalog.undoable(o), c.before, c.after) as back
    from catalog.import_change c join catalog.offer o on o.offer_id = c.id
    where c.import_id = :import_id and c.kind = 'offer' and c.id = any(:ids::bigint[])
), due as materialized (
    select o.offer_id, o.product_id, u.before, u.back
        - case when exists (select from catalog.offer other where other.seller_id = o.seller_id and other.offer_id <> o.offer_id
                and other.sku = u.before ->> 'sku' and other.status <> 'archived') then 'sku' else '' end
        - case when coalesce(u.back ->> 'status', o.status) = 'active' and (u.back -> 'price' = '0'
                or u.back ->> 'currency' <> (select s.currency from catalog.shop s))
            then array['price', 'currency'] else '{}' end as back
    from unchanged u join catalog.offer o using (offer_id)
), former as materialized (
    select r.*, d.back ? 'sale' as has_sale, d.back -> 'sale' as former_sale
    from due d join catalog.offer o using (offer_id), jsonb_populate_record(o, d.back) r
), written as (
    update catalog.offer o set price = r.price, compare_at_price = r.compare_at_price, currency = r.currency, sku = r.sku,
        status = r.status, by_hand = r.by_hand, priced_at = :now,
        sale_price = case when r.has_sale and o.flash is null then (r.former_sale ->> 'price')::bigint else o.sale_price end,
        sale_from = case when r.has_sale and o.flash is null then (r.former_sale ->> 'begins_at')::timestamptz else o.sale_from end,
        sale_until = case when r.has_sale and o.flash is null then (r.former_sale ->> 'ends_at')::timestamptz else o.sale_until end,
        own_sale = case when r.has_sale and o.flash is not null then nullif(r.former_sale, 'null') else o.own_sale end
    from former r where o.offer_id = r.offer_id
)
update catalog.import_change c set undone = case when d.back = d.before then 'back' when d.back = '{}' then 'left' else 'partly' end
from due d where c.import_id = :import_id and c.kind = 'offer' and c.id = d.offer_id
returning d.product_id;

-- name: undone_changes(import_id)
select count(*) filter (where undone = 'back') as put_back, count(*) filter (where undone <> 'back') as changed_since
from catalog.import_change where import_id = :import_id;

-- name: repriced_by(import_id, offer_ids)
select id from catalog.import_change where import_id = :import_id and kind = 'offer' and id = any(:offer_ids::bigint[]);

-- name: changed_since(import_id, most)
-- What was not put back, or not wholly: somebody had changed it.
select c.kind, coalesce(p.title, '') as title,
    coalesce(case when c.kind <> 'product' then k.options end, '{}')::text as options
from catalog.import_change c
    left join catalog.offer o on c.kind = 'offer' and o.offer_id = c.id
    left join catalog.sku k on k.sku_id = case c.kind when 'sku' then c.id else o.sku_id end
    left join catalog.product p on p.product_id = case c.kind when 'product' then c.id else k.product_id end
where c.import_id = :import_id and c.undone in ('partly', 'left')
order by p.title, c.kind, c.id limit :most;

-- name: forget_changes(before)
delete from catalog.import_change where import_id < :before;

-- name: site_marks(every)
select n.product_id from (
    select product_id, row_number() over (order by product_id) as nth from catalog.product) n
where (n.nth - 1) % :every::bigint = 0 order by n.product_id;

-- name: site_map(first, before, most)
select p.product_id, p.title, coalesce(p.changed_at, p.created_at) as changed_at,
    (select coalesce(json_agg(i.image ->> 'url'), '[]') from jsonb_array_elements(p.images) with ordinality as i (image, n)
        where i.n <= 10)::text as images
from catalog.product p
where p.product_id >= :first and (:before::bigint is null or p.product_id < :before)
    and (catalog.featured(p.product_id)).offer_id is not null
order by p.product_id limit :most;

-- name: put_addresses(product_ids, paths)
insert into catalog.former_address (product_id, path)
select distinct on (path) u.product_id, path
from unnest(:product_ids::bigint[], :paths::text[]) as u (product_id, path) join catalog.product p using (product_id)
order by path, u.product_id
on conflict (path) do nothing;

-- name: former_address(path)
select product_id from catalog.former_address where path = :path;

-- name: note_pictures(product_ids)
-- Pictures of these products and their variants that are elsewhere.
insert into catalog.picture_elsewhere (product_id, url)
select distinct p.product_id, i.image ->> 'url'
from catalog.product p cross join lateral (
    select jsonb_array_elements(p.images) as image
    union all select jsonb_array_elements(k.images) from catalog.sku k where k.product_id = p.product_id) i
where p.product_id = any(:product_ids::bigint[]) and i.image ->> 'url' ~ '^https?://'
on conflict do nothing;

-- name: due_pictures(most)
-- Claimed for a minute, then for four times as long each time.
update catalog.picture_elsewhere w set tries = w.tries + 1, due_at = now() + interval '1 minute' * power(4, w.tries)
from catalog.product p
where p.product_id = w.product_id and (w.product_id, md5(w.url)) in (
    select product_id, md5(url) from catalog.picture_elsewhere
    where tries < 6 and due_at <= now() order by due_at limit :most for update skip locked)
returning w.product_id, p.seller_id, w.url, w.tries;

-- name: show_fetched(product_id, before, now)
update catalog.product p set images = (
    select jsonb_agg(case when i.image ->> 'url' = :before
        then i.image || jsonb_build_object('url', :now::text, 'source', :before) else i.image end order by i.n)
    from jsonb_array_elements(p.images) with ordinality as i (image, n))
where p.product_id = :product_id and p.images @> jsonb_build_array(jsonb_build_object('url', :before::text))
returning p.product_id;

-- name: show_fetched_of_variants(product_id, before, now)
update catalog.sku k set images = (
    select jsonb_agg(case when i.image ->> 'url' = :before
        then i.image || jsonb_build_object('url', :now::text, 'source', :before) else i.image end order by i.n)
    from jsonb_array_elements(k.images) with ordinality as i (image, n))
where k.product_id = :product_id and k.images @> jsonb_build_array(jsonb_build_object('url', :before::text))
returning k.sku_id;

-- name: settle_picture(product_id, url)
delete from catalog.picture_elsewhere where product_id = :product_id and md5(url) = md5(:url);

-- name: picture_failed(product_id, url, failure, final)
update catalog.picture_elsewhere set failure = :failure, tries = case when :final then 6 else tries end
where product_id = :product_id and md5(url) = md5(:url);

-- name: own_currency(told)
-- The shop's currency. Who opens it first says which; where it has goods already, these do.
with own as (
    insert into catalog.shop (currency) values (coalesce((
        select currency from catalog.offer where status = 'active' group by currency order by count(*) desc limit 1
    ), :told))
    on conflict do nothing
    returning currency
)
select currency from own union all select currency from catalog.shop limit 1;

-- name: markets_version
select version from catalog.market_set;

-- name: markets
select m.code, m.name, m.percent, m.round_to, m.less, m.rate,
    array(select c.country from catalog.market_country c where c.market = m.code order by c.country) as countries
from catalog.market m order by m.name, m.code;

-- name: begin_setting_markets(now)
-- Whoever sets markets waits here for who does it now.
insert into catalog.market_set as s (changed_at) values (:now)
on conflict (one) do update set version = s.version + 1, changed_at = excluded.changed_at
returning version;

-- name: drop_other_markets(codes)
-- The prices of their own that offers have in a market go with it.
with gone as (delete from catalog.market where code <> all(:codes::text[]))
delete from catalog.market_country;

-- name: put_markets(codes, names, percents, round_tos, lesses, rates)
insert into catalog.market as m (code, name, percent, round_to, less, rate)
select * from unnest(:codes::text[], :names::text[], :percents::int[], :round_tos::bigint[], :lesses::bigint[],
    :rates::bigint[])
on conflict (code) do update set name = excluded.name, percent = excluded.percent, round_to = excluded.round_to,
    less = excluded.less, rate = excluded.rate;

-- name: put_market_countries(countries, markets)
insert into catalog.market_country (country, market) select * from unnest(:countries::text[], :markets::text[]);

-- name: market_terms(markets, offer_ids)
-- Of many offers in many markets, those that do not cost what the market makes of their price.
select a.market, o.offer_id, m.price as own, coalesce(o.flash is not null or p.tax_class = 'gift_card', false) as same
from unnest(:markets::text[], :offer_ids::bigint[]) as a (market, offer_id)
    join catalog.offer o on o.offer_id = a.offer_id
    join catalog.product p on p.product_id = o.product_id
    left join catalog.market_price m on m.offer_id = a.offer_id and m.market = a.market
where m.price is not null or o.flash is not null or p.tax_class = 'gift_card';

-- name: featured_prices(market, product_ids, now)
select f.product_id, f.price, f.compare_at_price, f.sale_price, f.sale_from, f.sale_until, m.price as own,
    coalesce(f.flash is not null or p.tax_class = 'gift_card', false) as same
from catalog.product p cross join lateral catalog.featured(p.product_id, :now) f
    left join catalog.market_price m on m.offer_id = f.offer_id and m.market = :market
where p.product_id = any(:product_ids::bigint[]) and f.offer_id is not null;

-- name: own_prices(seller_id, offer_id)
-- Nothing where the offer is not this seller's.
select o.offer_id, p.market, p.price
from catalog.offer o left join catalog.market_price p using (offer_id)
where o.offer_id = :offer_id and o.seller_id = :seller_id and o.status <> 'archived'
order by p.market;

-- name: lock_own_offer(seller_id, offer_id)
select product_id from catalog.offer
where offer_id = :offer_id and seller_id = :seller_id and status <> 'archived' for no key update;

-- name: drop_own_prices(offer_id, markets)
delete from catalog.market_price where offer_id = :offer_id and market <> all(:markets::text[]);

-- name: put_own_prices(offer_id, markets, prices)
insert into catalog.market_price as p (offer_id, market, price)
select :offer_id, m, a from unnest(:markets::text[], :prices::bigint[]) as u (m, a) order by m
on conflict (offer_id, market) do update set price = excluded.price;
