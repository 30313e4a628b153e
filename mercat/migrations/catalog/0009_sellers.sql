-- Change: goods of sellers who are not active are not for sale.
-- Previous release: goes on; its statements that do not pass `catalog.featured` still offer their goods.

-- Sellers whose status has ever changed, and the newest of it that is known here.
create table catalog.seller (
    seller_id bigint  primary key,
    version   integer not null,
    is_open   boolean not null
);

create function catalog.is_closed(seller bigint) returns boolean
    language sql stable as $$
    select exists (select from catalog.seller s where s.seller_id = seller and not s.is_open)
$$;

create or replace function catalog.featured(product bigint) returns catalog.offer
    language sql stable as $$
    select o.* from catalog.offer o
    where o.product_id = product and o.status = 'active' and not catalog.is_closed(o.seller_id)
    order by o.in_stock desc, o.price, o.offer_id limit 1
$$;
