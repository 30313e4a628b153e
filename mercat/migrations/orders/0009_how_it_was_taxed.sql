-- Change: an order says how its tax was rounded (`rounding` was there), and why it has none where others have.
-- Previous release: names its columns; its orders have the defaults, by which it computed.

alter table orders.orders
    add column taxed_by text not null default 'total' check (taxed_by in ('total', 'line')),
    add column tax_note text not null default '';
