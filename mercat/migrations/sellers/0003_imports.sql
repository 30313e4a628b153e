-- Change: files of products that sellers send are kept until they are taken in, with what became of them.
-- Previous release: knows none of these tables.

create table sellers.import (
    import_id   bigint      primary key,
    seller_id   bigint      not null,
    file        text        not null,
    format      text        not null default '',  -- as it was named, then as it was found
    dry_run     boolean     not null,
    content     bytea,                            -- until it is done
    size        integer     not null,
    status      text        not null default 'queued' check (status in ('queued', 'running', 'done', 'failed')),
    progress    jsonb       not null default '{}',
    problems    jsonb       not null default '[]',
    detail      text        not null default '',  -- why it failed
    attempts    integer     not null default 0,
    lease_until timestamptz not null default '-infinity',
    created_at  timestamptz not null default now(),
    finished_at timestamptz
);
create index import_seller on sellers.import (seller_id, import_id);
create index import_waiting on sellers.import (import_id) where status in ('queued', 'running');

-- What became of each batch of one that is running: whoever carries it on counts these as they were.
create table sellers.import_batch (
    import_id bigint  not null references sellers.import on delete cascade,
    n         integer not null,
    result    bytea   not null,
    primary key (import_id, n)
);
