-- Change: an offer that is in a flash sale has the sale's price, and gets its own sale back when that is over.
-- Previous release: names its columns.

alter table catalog.offer
    add column flash    text,
    add column own_sale jsonb;
