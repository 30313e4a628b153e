-- Change: a line says what was taken off it, what of that its seller bears, and its tax; an order says by which
--   promotions it was reduced.
-- Previous release: names its columns. Of its lines the tax is null: they share the order's discount and tax by what
--   they cost.

-- Not validated here: that would read all of a large table under the lock of this migration. 0012 does.
alter table orders.line
    add column discount bigint not null default 0,
    add column seller_discount bigint not null default 0,
    add column tax bigint,
    add constraint discount_within_total check (discount between 0 and total) not valid,
    add constraint seller_discount_within_discount check (seller_discount between 0 and discount) not valid,
    add constraint tax_not_negative check (tax >= 0) not valid;
alter table orders.orders add column discounts json;
