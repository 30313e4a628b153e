-- Change: a line says which tax is within what the shop bears of its discount, where prices include tax.
-- Previous release: names its columns, and of its lines nothing is within.

alter table orders.line
    add column shop_tax bigint not null default 0,
    add constraint shop_tax_within_discount check (shop_tax between 0 and discount - seller_discount) not valid;
