-- Change: orders are found by whom they go to.
-- Previous release: does not notice.
-- not in a transaction

create index concurrently seller_order_to on fulfilment.seller_order
    (lower(address ->> 'name') text_pattern_ops, order_id desc);
