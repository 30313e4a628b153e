-- Change: the featured offer is the first by a published rule: what can be had, then what is new, then the price,
--   then who offered first.
-- Previous release: calls `catalog.featured` as before.

create or replace function catalog.featured(product bigint) returns catalog.offer
    language sql stable as $$
    select o.* from catalog.offer o where o.product_id = product and o.status = 'active'
        and not catalog.is_closed(o.seller_id)
    order by not o.in_stock, o.condition <> 'new', o.price, o.offer_id limit 1
$$;
