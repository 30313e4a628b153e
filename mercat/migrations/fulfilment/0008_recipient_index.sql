-- Change: names are found by this index alone, without a look at the rows.
-- Previous release: does not notice.
-- not in a transaction

create index concurrently seller_order_recipient on fulfilment.seller_order (recipient text_pattern_ops, order_id desc);
