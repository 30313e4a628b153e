-- Change: a seller's shelves are listed by an index. It has no column that buying changes, so that costs nothing there.
-- Previous release: does not mind.
-- not in a transaction

create index concurrently stock_of_seller on inventory.stock (seller_id, offer_id) where location_id = 1;
