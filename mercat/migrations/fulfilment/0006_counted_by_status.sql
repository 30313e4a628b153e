-- Change: a seller's orders of a status are listed and counted by an index.
-- Previous release: does not notice.
-- not in a transaction

create index concurrently seller_order_status on fulfilment.seller_order (seller_id, status, order_id desc);
