-- Change: what a seller earned is kept as lines, what was paid out of it as payouts, and commission follows rules.
-- Previous release: names its columns and its kinds of entries; what it books is taken into lines by the new one.

-- The commission and the fixed fees that were taken of each seller's part; none where 0.1.0 captured.
alter table payments.payment add column kept json;

-- Not validated here, as in 0003.
alter table payments.entry drop constraint entry_kind_check;
alter table payments.entry add constraint entry_kind_check check (kind in ('capture', 'refund', 'paid_back', 'came_back',
    'issued', 'payout', 'paid_out', 'payout_failed')) not valid;

-- The rules by which commission is taken, in their order: the first that matches. They are one list, so one row counts
-- its changes.
create table payments.commission_rule (
    place       integer primary key,
    seller_id   bigint,
    category_id bigint,
    rate_ppm    integer not null check (rate_ppm between 0 and 1000000),
    fee         bigint  not null check (fee >= 0)
);
create table payments.commission_list (
    one     boolean primary key default true check (one),
    version integer not null default 0
);
insert into payments.commission_list default values;

-- Who is paid. The lock of this row decides who pays a seller out, and who holds money back. `destination` is the payout
-- provider's name for the account; of the account itself the shop keeps its last digits. `refused`: it was not taken. Who is `suspended` waits.
create table payments.payee (
    seller_id   bigint      primary key,
    holder      text        not null default '',
    account     text        not null default '',
    bank        text        not null default '',
    destination text,
    refused     boolean     not null default false,
    changed_at  timestamptz,
    suspended   boolean     not null default false,
    version     integer     not null default 0    -- of the seller's status
);

-- A payout: once a seller and run. Its lines are its statement, which never changes.
create table payments.payout (
    payout_id   bigint      primary key,
    seller_id   bigint      not null references payments.payee,
    run         text        not null,
    amount      bigint      not null check (amount > 0),
    currency    text        not null,
    status      text        not null default 'pending' check (status in ('pending', 'paid', 'failed')),
    destination text        not null,
    account     text        not null,
    reason      text        not null default '',
    transfer    text        not null default '',  -- the provider's reference
    made_at     timestamptz not null,
    ended_at    timestamptz,
    constraint once_a_run unique (seller_id, run)
);
create index payout_seller on payments.payout (seller_id, payout_id);
create index payout_pending on payments.payout (payout_id) where status = 'pending';

-- A seller's part of an order: from when on its money may be paid out, and whether it is held for a return.
create table payments.seller_part (
    order_id     bigint  not null,
    seller_id    bigint  not null,
    available_at timestamptz,
    held         boolean not null default false,
    primary key (order_id, seller_id)
);

-- Returns that are open hold their part.
create table payments.open_return (
    return_id bigint  primary key,
    order_id  bigint  not null,
    seller_id bigint  not null,
    ended     boolean not null default false
);
create index open_return_part on payments.open_return (order_id, seller_id) where not ended;

-- What a seller's account in the journal is made of, line by line: debits of the journal are negative here. Paid out
-- once, with the payout whose statement it stands on.
create table payments.seller_line (
    line_id   bigint      generated always as identity,
    order_id  bigint      not null,               -- 0: of no order
    seller_id bigint      not null,
    reference bigint      not null,               -- a checkout, a refund, a return, a payout
    kind      text        not null check (kind in ('sale', 'commission', 'fee', 'delivery', 'discount', 'refund',
        'reserve', 'release', 'payout_failed')),
    amount    bigint      not null,
    currency  text        not null,
    at        timestamptz not null,
    payout_id bigint      references payments.payout,
    primary key (order_id, seller_id, reference, kind)
);
create index seller_line_unpaid on payments.seller_line (seller_id, line_id) where payout_id is null;
create index seller_line_payout on payments.seller_line (payout_id, line_id) where payout_id is not null;

-- The one place that says which state money is in that was not paid out.
create function payments.state_of(kind text, order_id bigint, held boolean, available_at timestamptz, now timestamptz)
    returns text language sql immutable parallel safe return case
        when kind in ('reserve', 'payout_failed') or order_id = 0 then 'available'
        when held then 'reserved'
        when available_at <= now then 'available'
        else 'pending' end;

-- Runs of payouts by the clock: who holds the lease carries it out under its fence, and it is over once.
create table payments.payout_run (
    run         text        primary key,
    begun_at    timestamptz not null,
    lease_until timestamptz not null,
    fence       integer     not null default 1,
    done_at     timestamptz
);

-- The sandbox's own books of transfers.
create table payments.sandbox_transfer (
    key         bigint      primary key,
    amount      bigint      not null check (amount > 0),
    currency    text        not null,
    destination text        not null,
    state       text        not null check (state in ('paid', 'refused')),
    at          timestamptz not null default now()
);

-- How far lines were written for what an earlier release captured; a new shop has nothing to do.
create table payments.filled (
    one   boolean primary key default true check (one),
    after bigint  not null default 0,
    done  boolean not null default false
);
insert into payments.filled (done) select not exists (select from payments.payment);
