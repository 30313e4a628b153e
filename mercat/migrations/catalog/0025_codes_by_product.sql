-- Change: the codes of a product are looked up by the product in both tables, so that no plan reads every offer for
-- each of a batch's products where the planner takes both tables for empty.
-- Previous release: calls `codes`, which answers as before.

create or replace function catalog.codes(product bigint) returns text[]
    language sql stable as $$
    select coalesce(array_agg(distinct c.code), '{}')
    from catalog.sku k join catalog.offer o on o.sku_id = k.sku_id and o.status <> 'archived' cross join lateral (values
        (case when k.key <> '' and k.key !~ '^~' and (k.options = '{}' or strpos(k.key, '=') = 0) then k.key end),
        (k.gtin), (o.sku)) as c (code)
    where k.product_id = product and o.product_id = product and c.code is not null
$$;
