-- Change: offers of an exported product are found by its id, and no other way. Where the planner took the tables for
-- nearly empty, it read all offers of the seller again for each product of a page.
-- Previous release: reads the same columns.

create or replace view catalog.exported_product as
select p.product_id, p.seller_id, own.seller_name, p.external_id, p.title, p.description, p.description_html, p.brand,
    case when c.category_id = 0 then '{}' else c.names end as category_path, p.attributes::text, p.options::text,
    p.option_names, p.tags, p.images::text, p.histogram, p.popularity, p.created_at, own.variants::text, p.tax_class, p.seo_title,
    p.seo_description
from catalog.product p join catalog.category c using (category_id) cross join lateral (
    select min(o.seller_name) as seller_name, json_agg(json_build_object('sku_id', k.sku_id, 'offer_id', o.offer_id,
        'key', k.key, 'options', k.options, 'sku', o.sku, 'gtin', k.gtin, 'price', o.price,
        'compare_at_price', o.compare_at_price, 'sale', o.sale, 'currency', o.currency, 'status', o.status,
        'weight_g', k.weight_g, 'images', k.images) order by k.place, k.sku_id) as variants
    from (select one.*, catalog.own_sale_of(one) as sale from catalog.offer one where product_id = p.product_id offset 0) o
    cross join lateral (select * from catalog.sku where sku_id = o.sku_id offset 0) k
    where o.seller_id = p.seller_id and o.status <> 'archived') own
where own.variants is not null;
