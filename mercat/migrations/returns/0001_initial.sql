-- Change: goods on their way back: what is asked, how it was decided, and in which condition it came.
-- Previous release: does not know this schema.

create schema returns;

-- One seller's part of an order each. `owed`: what it pays back, known once the goods are here.
create table returns.return (
    return_id        bigint      primary key,
    order_id         bigint      not null,
    user_id          bigint      not null,
    seller_id        bigint      not null,
    status           text        not null check (status in ('requested', 'approved', 'refused', 'in_transit', 'received',
        'refunded', 'closed')),
    reason           text        not null check (reason in ('damaged', 'wrong_item', 'not_as_described', 'not_needed',
        'arrived_late', 'other')),
    comment          text        not null default '',
    currency         text        not null,
    seller_name      text        not null default '',
    carrier          text        not null default '',
    tracking_number  text        not null default '',
    refused_because  text        not null default '',
    withheld         bigint      not null default 0 check (withheld >= 0),
    withheld_because text        not null default '',
    refunded         bigint      not null default 0 check (refunded >= 0),
    decided_by       text        not null default '' check (decided_by in ('', 'shop', 'seller', 'operator', 'shopper')),
    asked_at         timestamptz not null,
    approved_at      timestamptz,
    sent_at          timestamptz,
    received_at      timestamptz,
    ended_at         timestamptz,
    constraint received_when_it_says_so check ((received_at is not null) = (status in ('received', 'refunded')
        or status = 'closed' and decided_by <> 'shopper')),
    constraint ended_when_it_says_so check ((ended_at is not null) = (status in ('refused', 'refunded', 'closed'))),
    constraint paid_back_only_when_refunded check (refunded = 0 or status = 'refunded')
);
create index return_of_order on returns.return (order_id);
create index return_of_seller on returns.return (seller_id, status, return_id desc);
create index return_by_status on returns.return (status, return_id desc);

-- What of a line comes back: nothing is said of its condition until it is here, and then of every unit.
create table returns.line (
    return_id     bigint  not null references returns.return,
    order_line_id bigint  not null,
    product_id    bigint  not null,
    offer_id      bigint  not null,
    title         text    not null,
    image_url     text    not null default '',
    unit_price    bigint  not null check (unit_price >= 0),
    quantity      integer not null check (quantity > 0),
    sellable      integer not null default 0 check (sellable >= 0),
    damaged       integer not null default 0 check (damaged >= 0),
    missing       integer not null default 0 check (missing >= 0),
    primary key (return_id, order_line_id),
    constraint every_unit_once check (sellable + damaged + missing in (0, quantity))
);
