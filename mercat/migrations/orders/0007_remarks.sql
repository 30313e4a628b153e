-- Change: what operators note about an order, and what was refused of it and why.
-- Previous release: does not know these tables; what it refuses is not in them.

-- Only added to; they go when their order forgets its person. A form that is sent twice notes once (`once`).
create table orders.note (
    bucket   smallint    not null,
    order_id bigint      not null,
    note_id  bigint      not null,
    user_id  bigint      not null,
    who      text        not null,
    text     text        not null,
    once     text        not null,
    at       timestamptz not null,
    primary key (bucket, order_id, note_id),
    unique (bucket, order_id, once)
);
create function orders.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'notes are only added' using errcode = 'restrict_violation';
end
$$;
create trigger only_added_to before update on orders.note for each statement execute function orders.refuse_change();

create table orders.refusal (
    bucket    smallint    not null,
    order_id  bigint      not null,
    reference text        not null,
    at        timestamptz not null,
    who       text        not null,
    what      text        not null,
    code      text        not null,
    words     text        not null,
    primary key (bucket, order_id, reference)
);
