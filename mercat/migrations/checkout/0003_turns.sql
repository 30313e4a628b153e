-- Change: what is begun about an order counts who was at it, so that only the last closes it.
-- Previous release: names the columns that it writes and reads, and closes whatever the turn.

alter table checkout.undoing add column turn integer not null default 1;
