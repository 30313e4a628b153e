-- Change: finds the lists that have a product.
-- Previous release: does not notice.
-- not in a transaction

create index concurrently item_of_product on wishlist.item (product_id, user_id);
