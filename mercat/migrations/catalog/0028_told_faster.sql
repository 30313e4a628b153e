-- Change: the documents of many products are made by one plan, without a call for each; what an import changed is
-- noted without taking whole rows apart; a former price is not checked against its offer, which the trigger that
-- writes it holds. Pages keep room for the next state of their rows, so that a file of new prices need not write into
-- every index: what is there gets it as it is changed.
-- Previous release: calls `document`, which answers as before.

create or replace function catalog.documents(product_ids bigint[], at timestamptz)
    returns table (product_id bigint, document jsonb) language sql stable as $$
    select p.product_id, jsonb_build_object(
        'product_id', p.product_id, 'offer_id', o.offer_id, 'seller_id', o.seller_id, 'seller_name', o.seller_name,
        'title', p.title, 'description', p.description, 'price', catalog.price_at(o, documents.at),
        'was_price', catalog.was_price_at(o, documents.at),
        'coming_prices', case when sales.some then catalog.coming_prices(p.product_id, documents.at) else '[]' end,
        'currency', o.currency, 'created_at', p.created_at, 'external_id', p.external_id, 'brand', p.brand,
        'category', c.slug, 'categories', c.slugs, 'category_names', c.names, 'tags', p.tags,
        'attributes', p.attributes, 'options', p.options, 'rating', p.rating, 'review_count', p.review_count,
        'image_url', coalesce(p.images -> 0 ->> 'url', ''), 'in_stock', o.in_stock, 'popularity', p.popularity,
        'codes', known.codes)
    from catalog.product p
        join catalog.category c on c.category_id = p.category_id
        cross join lateral (  -- as `featured` chooses
            select o.* from catalog.offer o where o.product_id = p.product_id and o.status = 'active'
                and not exists (select from catalog.seller s where s.seller_id = o.seller_id and not s.is_open)
            order by not o.in_stock, o.condition <> 'new', catalog.price_at(o, documents.at), o.offer_id limit 1) o
        cross join lateral (
            select exists (select from catalog.offer s where s.product_id = p.product_id and s.sale_price is not null)
                as some) sales
        cross join lateral (  -- as `codes` answers
            select coalesce(array_agg(distinct n.code), '{}') as codes
            from catalog.sku k join catalog.offer s on s.sku_id = k.sku_id and s.status <> 'archived' cross join lateral (values
                (case when k.key <> '' and k.key !~ '^~' and (k.options = '{}' or strpos(k.key, '=') = 0) then k.key end),
                (k.gtin), (s.sku)) as n (code)
            where k.product_id = p.product_id and s.product_id = p.product_id and n.code is not null) known
    where p.product_id = any(documents.product_ids) and p.hidden_at is null
$$;

-- Of one state of an offer, as `undoable` names its members, those that another state has not.
create function catalog.differing(one catalog.offer, other catalog.offer) returns jsonb
    language sql stable as $$
    select case when one.price <> other.price then jsonb_build_object('price', one.price) else '{}' end
        || case when one.compare_at_price is distinct from other.compare_at_price
            then jsonb_build_object('compare_at_price', one.compare_at_price) else '{}' end
        || case when catalog.own_sale_of(one) is distinct from catalog.own_sale_of(other)
            then jsonb_build_object('sale', catalog.own_sale_of(one)) else '{}' end
        || case when one.currency <> other.currency then jsonb_build_object('currency', one.currency) else '{}' end
        || case when one.sku is distinct from other.sku then jsonb_build_object('sku', one.sku) else '{}' end
        || case when one.status <> other.status then jsonb_build_object('status', one.status) else '{}' end
        || case when one.by_hand <> other.by_hand then jsonb_build_object('by_hand', one.by_hand) else '{}' end
$$;
drop function catalog.in_common;

-- Of one state of a product the columns that an import sets and another state has otherwise.
create function catalog.differing(one catalog.product, other catalog.product) returns jsonb
    language sql immutable as $$
    select case when one.title <> other.title then jsonb_build_object('title', one.title) else '{}' end
        || case when one.description <> other.description
            then jsonb_build_object('description', one.description) else '{}' end
        || case when one.description_html is distinct from other.description_html
            then jsonb_build_object('description_html', one.description_html) else '{}' end
        || case when one.category_id <> other.category_id
            then jsonb_build_object('category_id', one.category_id) else '{}' end
        || case when one.brand is distinct from other.brand then jsonb_build_object('brand', one.brand) else '{}' end
        || case when one.tax_class is distinct from other.tax_class
            then jsonb_build_object('tax_class', one.tax_class) else '{}' end
        || case when one.attributes <> other.attributes
            then jsonb_build_object('attributes', one.attributes) else '{}' end
        || case when one.options <> other.options then jsonb_build_object('options', one.options) else '{}' end
        || case when one.option_names <> other.option_names
            then jsonb_build_object('option_names', one.option_names) else '{}' end
        || case when one.tags <> other.tags then jsonb_build_object('tags', one.tags) else '{}' end
        || case when one.images <> other.images then jsonb_build_object('images', one.images) else '{}' end
        || case when one.rating <> other.rating then jsonb_build_object('rating', one.rating) else '{}' end
        || case when one.review_count <> other.review_count
            then jsonb_build_object('review_count', one.review_count) else '{}' end
        || case when one.histogram <> other.histogram
            then jsonb_build_object('histogram', one.histogram) else '{}' end
        || case when one.popularity <> other.popularity
            then jsonb_build_object('popularity', one.popularity) else '{}' end
        || case when one.seo_title <> other.seo_title then jsonb_build_object('seo_title', one.seo_title) else '{}' end
        || case when one.seo_description <> other.seo_description
            then jsonb_build_object('seo_description', one.seo_description) else '{}' end
$$;

alter table catalog.former_price drop constraint former_price_offer_id_fkey;

alter table catalog.offer set (fillfactor = 60);
alter table catalog.product set (fillfactor = 60);
