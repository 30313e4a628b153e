-- Change: links that letters hold, each good once; since when a person's e-mail address is confirmed.
-- Previous release: knows neither the table nor the column, which may be null.

alter table accounts.person add column email_verified_at timestamptz;

-- What a letter shows is this id, signed: what follows a link cannot be read from here.
create table accounts.link (
    link_id    bigint      primary key,
    kind       text        not null check (kind in ('reset', 'email')),
    user_id    bigint,  -- null: nobody has the address; written all the same, so that it takes as long
    email      text        not null,
    expires_at timestamptz not null
);
create index link_of on accounts.link (user_id);
create index link_expiry on accounts.link (expires_at);
