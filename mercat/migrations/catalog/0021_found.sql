-- Change: products say when they were changed, what search engines shall show of them, and where they stood in the
-- shop that they were imported from.
-- Previous release: names its columns; what it changes keeps the older time.

alter table catalog.product
    add column changed_at timestamptz,  -- with the version
    add column seo_title text not null default '' check (length(seo_title) <= 300),
    add column seo_description text not null default '' check (length(seo_description) <= 1000);

-- Paths in another shop that lead here. Of two products with one the first has it.
create table catalog.former_address (
    path       text   primary key check (path like '/%' and length(path) <= 1000),
    product_id bigint not null references catalog.product
);
create index former_address_product on catalog.former_address (product_id);

create or replace view catalog.exported_product as
select p.product_id, p.seller_id, own.seller_name, p.external_id, p.title, p.description, p.description_html, p.brand,
    case when c.category_id = 0 then '{}' else c.names end as category_path, p.attributes::text, p.options::text,
    p.option_names, p.tags, p.images::text, p.histogram, p.popularity, p.created_at, own.variants::text, p.tax_class, p.seo_title,
    p.seo_description
from catalog.product p join catalog.category c using (category_id) cross join lateral (
    select min(o.seller_name) as seller_name, json_agg(json_build_object('sku_id', k.sku_id, 'offer_id', o.offer_id,
        'key', k.key, 'options', k.options, 'sku', o.sku, 'gtin', k.gtin, 'price', o.price,
        'compare_at_price', o.compare_at_price, 'sale', catalog.own_sale_of(o), 'currency', o.currency, 'status', o.status,
        'weight_g', k.weight_g, 'images', k.images) order by k.place, k.sku_id) as variants
    from catalog.offer o join catalog.sku k using (sku_id)
    where o.product_id = p.product_id and o.seller_id = p.seller_id and o.status <> 'archived') own
where own.variants is not null;
