-- Change: who asked to be forgotten: their orders lose the person when the legal term has passed.
-- Previous release: does not know the table.

create table orders.erased (
    bucket    smallint    not null,
    user_id   bigint      not null,
    erased_at timestamptz not null,
    primary key (bucket, user_id)
);
