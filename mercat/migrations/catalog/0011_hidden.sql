-- Change: operators take products off sale; their sellers read why, and cannot put them back.
-- Previous release: names its columns; its statements that do not pass `catalog.featured` still offer what is hidden.

alter table catalog.product
    add column hidden_at timestamptz,
    add column hidden_because text not null default '';

create function catalog.is_hidden(product bigint) returns boolean
    language sql stable as $$
    select exists (select from catalog.product p where p.product_id = product and p.hidden_at is not null)
$$;

create or replace function catalog.featured(product bigint) returns catalog.offer
    language sql stable as $$
    select o.* from catalog.offer o where o.product_id = product and o.status = 'active'
        and not catalog.is_closed(o.seller_id) and not catalog.is_hidden(product)
    order by not o.in_stock, o.condition <> 'new', o.price, o.offer_id limit 1
$$;

-- A product as operators see it, whatever became of it: its status is that of the liveliest offer, unless it is hidden.
create view catalog.any_product as
select p.product_id, p.title, p.brand, p.external_id, p.seller_id, own.seller_name, p.created_at, c.slug as category,
    case when p.hidden_at is not null then 'hidden' else own.status end as status, own.price, own.currency, p.hidden_at,
    p.hidden_because, coalesce(p.images -> 0 ->> 'url', '') as image_url
from catalog.product p join catalog.category c using (category_id) cross join lateral (
    select coalesce((array['active', 'paused', 'draft', 'archived'])[
            min(array_position(array['active', 'paused', 'draft', 'archived'], o.status))], 'archived') as status,
        (array_agg(o.price order by o.status = 'archived', o.price))[1] as price,
        (array_agg(o.currency order by o.status = 'archived', o.price))[1] as currency,
        coalesce((array_agg(o.seller_name order by o.seller_id <> p.seller_id, o.offer_id))[1], '') as seller_name
    from catalog.offer o where o.product_id = p.product_id) own;
