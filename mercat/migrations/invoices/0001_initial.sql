-- Change: invoices and credit notes, numbered without gaps a seller.
-- Previous release: does not know this schema.

create schema invoices;

-- Who issues, what they want said of them, and the last number of each kind that they gave. The row's lock decides who
-- is next: what is rolled back gives its numbers back, which a sequence does not.
create table invoices.issuer (
    seller_id    bigint primary key,
    details      text   not null default '' check (length(details) <= 1000),
    invoices     bigint not null default 0 check (invoices >= 0),
    credit_notes bigint not null default 0 check (credit_notes >= 0)
);

-- An invoice (`refund_id` 0) or a credit note. It holds what is not kept elsewhere, or could change there; what was
-- bought and who bought it stands in the order, which never changes and forgets the person when the law lets it.
create table invoices.paper (
    order_id       bigint      not null,
    seller_id      bigint      not null references invoices.issuer,
    refund_id      bigint      not null default 0,
    kind           text        not null check (kind in ('invoice', 'credit_note')),
    number         bigint      not null check (number > 0),
    seller_name    text        not null,
    seller_details text        not null default '',
    currency       text        not null,
    price          bigint      not null,
    discount       bigint      not null,
    tax            bigint      not null,
    shipping       bigint      not null,
    units          json        not null default '[]',
    cause          text        not null default '' check (cause in ('', 'cancel', 'return', 'refund')),
    issued_at      timestamptz not null,
    primary key (order_id, seller_id, refund_id),
    constraint of_its_kind check ((kind = 'invoice') = (refund_id = 0)),
    constraint numbered_once unique (seller_id, kind, number)
);

create function invoices.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'an invoice that has its number never changes' using errcode = 'restrict_violation';
end
$$;
create trigger never_changes before update or delete or truncate on invoices.paper
    for each statement execute function invoices.refuse_change();
