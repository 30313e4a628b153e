-- Change: worker numbers for ids are 256 instead of 64, in a table of their own.
-- Previous release: goes on leasing from events.worker; who leases one of the new numbers takes the old one
-- that it is a quarter of.

create table events.id_number (
    number      smallint primary key check (number between 0 and 255),
    holder      text,
    until       timestamptz not null default '-infinity',
    spent_until timestamptz not null default '-infinity'
);
insert into events.id_number (number) select generate_series(0, 255);
