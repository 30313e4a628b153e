-- Change: variants have a GTIN, a weight and pictures of their own, offers a seller's SKU, a price they are compared
-- with and a condition; an offer can be archived; a description may be formatted; options keep their order.
-- Previous release: names its columns, so it does not see the new ones. It lists an archived offer under its status,
-- and never sells one, since it sells only what is active.

alter table catalog.product
    add column description_html text,
    add column option_names text[] not null default '{}';

alter table catalog.sku
    add column gtin text,
    add column weight_g integer check (weight_g between 0 and 1000000000),
    add column images jsonb not null default '[]';

alter table catalog.offer
    add column sku text,
    add column compare_at_price bigint check (compare_at_price > 0),
    add column condition text not null default 'new' check (condition in ('new', 'used', 'refurbished'));
alter table catalog.offer drop constraint offer_status_check;
alter table catalog.offer add constraint offer_status_check
    check (status in ('active', 'paused', 'draft', 'archived')) not valid;
alter table catalog.offer validate constraint offer_status_check;

-- The SKUs and barcodes of variants that somebody offers. A key made of options is none.
create or replace function catalog.codes(product bigint) returns text[]
    language sql stable as $$
    select coalesce(array_agg(distinct c.code), '{}')
    from catalog.sku k join catalog.offer o on o.sku_id = k.sku_id and o.status <> 'archived' cross join lateral (values
        (case when k.key <> '' and k.key !~ '^~' and (k.options = '{}' or strpos(k.key, '=') = 0) then k.key end),
        (k.gtin), (o.sku)) as c (code)
    where k.product_id = product and c.code is not null
$$;
