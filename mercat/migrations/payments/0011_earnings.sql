-- Change: what a seller earned by one capture or refund is one row with arrays instead of a row a line. The lines are a
--   view of it, for all who read them.
-- Previous release: does not know them. 0.1.0 has no lines, so what is copied is little or nothing.

create table payments.earning (
    earning_id bigint      generated always as identity,
    order_id   bigint      not null,               -- 0: of no order
    seller_id  bigint      not null,
    reference  bigint      not null,               -- a checkout, a refund, a return, a payout
    release    boolean     not null default false, -- of a return two are booked: what it reserves, and its release
    currency   text        not null,
    kinds      text[]      not null check (kinds <@ array['sale', 'commission', 'fee', 'delivery', 'tax', 'discount',
        'refund', 'reserve', 'release', 'payout_failed'] and cardinality(kinds) between 1 and 15),
    amounts    bigint[]    not null,
    at         timestamptz not null,
    payout_id  bigint      references payments.payout,
    primary key (order_id, seller_id, reference, release),
    constraint as_many_amounts check (cardinality(kinds) = cardinality(amounts))
);

insert into payments.earning (order_id, seller_id, reference, release, currency, kinds, amounts, at, payout_id)
select order_id, seller_id, reference, kind = 'release', currency, array_agg(kind order by line_id),
    array_agg(amount order by line_id), min(at), payout_id
from payments.seller_line group by order_id, seller_id, reference, kind = 'release', currency, payout_id
order by min(line_id);

drop table payments.seller_line;

create index earning_unpaid on payments.earning (seller_id, earning_id) where payout_id is null;
create index earning_payout on payments.earning (payout_id, earning_id) where payout_id is not null;

-- The lines of a seller's account; debits of the journal are negative here. A line's number begins with its row's.
create view payments.seller_line as
select e.earning_id, e.earning_id * 16 + l.n as line_id, e.order_id, e.seller_id, e.reference, l.kind, l.amount,
    e.currency, e.at, e.payout_id
from payments.earning e cross join lateral unnest(e.kinds, e.amounts) with ordinality as l (kind, amount, n);
