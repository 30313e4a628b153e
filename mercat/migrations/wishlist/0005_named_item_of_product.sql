-- Change: finds the named lists that have a product.
-- Previous release: does not notice.
-- not in a transaction

create index concurrently named_item_of_product on wishlist.named_item (product_id, wishlist_id);
