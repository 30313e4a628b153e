-- Change: hidden products are listed without looking at all.
-- Previous release: does not mind.
-- not in a transaction

create index concurrently product_hidden on catalog.product (product_id desc) where hidden_at is not null;
