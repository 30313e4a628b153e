-- Change: a product's document has the codes of its variants, by which search finds it exactly.
-- Previous release: leaves out a field of an event that it does not know.

-- The SKUs by which its sellers know a product's variants. A key made of options is none.
create function catalog.codes(product bigint) returns text[]
    language sql stable as $$
    select coalesce(array_agg(k.key order by k.place, k.sku_id), '{}')
    from catalog.sku k
    where k.product_id = product and k.key <> '' and (k.options = '{}' or strpos(k.key, '=') = 0)
$$;

create or replace function catalog.document(p catalog.product) returns jsonb
    language sql stable as $$
    select jsonb_build_object(
        'product_id', p.product_id, 'offer_id', o.offer_id, 'seller_id', o.seller_id, 'seller_name', o.seller_name,
        'title', p.title, 'description', p.description, 'price', o.price, 'currency', o.currency,
        'created_at', p.created_at, 'external_id', p.external_id, 'brand', p.brand,
        'category', c.slug, 'categories', c.slugs, 'category_names', c.names, 'tags', p.tags,
        'attributes', p.attributes, 'options', p.options, 'rating', p.rating, 'review_count', p.review_count,
        'image_url', coalesce(p.images -> 0 ->> 'url', ''), 'in_stock', o.in_stock, 'popularity', p.popularity,
        'codes', catalog.codes(p.product_id))
    from catalog.featured(p.product_id) o, catalog.category c
    where o.offer_id is not null and c.category_id = p.category_id
$$;
