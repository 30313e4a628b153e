-- Change: a flash sale may have a price of its own.
-- Previous release: names its columns; the sales that it makes have none.

alter table flashsale.sale
    add column price     bigint check (price > 0),
    add column was_price bigint,
    add column currency  text,
    add column priced    boolean not null default false;  -- whether the catalogue asks it
