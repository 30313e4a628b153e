-- Change: orders of a status are found by an index whatever the status, and the newest of all through it.
-- Previous release: does not notice.
-- not in a transaction

create index concurrently order_of_status on orders.orders (status, order_id desc) where status <> 'refused';
