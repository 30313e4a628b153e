-- Change: the log can take events of several databases: how far it has got in each but its own is here.
-- Previous release: does not know the table, and appends what is told in its own database.

create table events.source (
    name   text    primary key,
    commit pg_lsn  not null,
    facts  integer not null
);
