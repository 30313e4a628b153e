-- Change: an order says whether a page of the shop or a program placed it.
-- Previous release: names its columns; its orders have the default, as reports had them.

alter table orders.orders add column channel text not null default 'web';
