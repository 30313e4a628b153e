-- Change: finds the letters about an order.
-- Previous release: does not notice.
-- not in a transaction

create index concurrently mail_of_order on notifications.mail (order_id);
