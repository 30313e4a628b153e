-- Change: gift cards that are bought: one a unit of an order's line, void once that unit was paid back.
-- Previous release: sells none, and does not know this table.

create table payments.sold_gift_card (
    order_line_id bigint   not null,
    place         integer  not null,
    order_id      bigint   not null,
    value_id      bigint   not null unique references payments.stored_value,
    voided_at     timestamptz,
    primary key (order_line_id, place)
);
create index sold_gift_card_order on payments.sold_gift_card (order_id);

-- Not validated here: that would read large tables under the lock of this migration. 0007 does.
alter table payments.value_movement drop constraint value_movement_kind_check;
alter table payments.value_movement add constraint value_movement_kind_check
    check (kind in ('issued', 'held', 'given_back', 'refunded', 'voided')) not valid;
alter table payments.entry drop constraint entry_kind_check;
alter table payments.entry add constraint entry_kind_check check (kind in ('capture', 'refund', 'paid_back', 'came_back',
    'issued', 'voided', 'payout', 'paid_out', 'payout_failed')) not valid;
