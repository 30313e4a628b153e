-- Change: a seller's products are listed by an index.
-- Previous release: does not mind.
-- not in a transaction

create index concurrently product_seller on catalog.product (seller_id, product_id);
