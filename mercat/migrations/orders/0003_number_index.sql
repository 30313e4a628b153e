-- Change: an order is found by the number that people say, which is one order's.
-- Previous release: does not name the column.
-- not in a transaction

create unique index concurrently order_number on orders.orders (number);
