-- Change: pictures that were uploaded, or fetched from elsewhere; the files themselves lie in a folder.
-- Previous release: does not know this schema.

create schema media;

-- `content`: SHA-256 of what was given; the same bytes again are the same medium. `name`: that of its file.
create table media.medium (
    media_id   bigint      primary key,
    content    bytea       not null unique,
    name       text        not null unique,
    width      integer     not null check (width > 0),
    height     integer     not null check (height > 0),
    created_at timestamptz not null
);

-- Who gave it, and may use it: a seller, or 0 for the shop itself. What it shows is said by each for themselves.
create table media.holder (
    media_id bigint not null references media.medium,
    owner    bigint not null,
    alt      text   not null default '',
    primary key (media_id, owner)
);
