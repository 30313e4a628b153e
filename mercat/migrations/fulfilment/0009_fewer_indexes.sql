-- Change: the index that `seller_order_recipient` takes the place of is gone.
-- Previous release: goes on; until its last worker is replaced it finds orders by name slowly in a shop of millions.

drop index fulfilment.seller_order_to;
