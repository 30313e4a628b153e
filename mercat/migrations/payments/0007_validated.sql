-- Change: what 0006 says of movements and entries is checked of those that were there; writers go on meanwhile.
-- Previous release: writes what is allowed.

alter table payments.value_movement validate constraint value_movement_kind_check;
alter table payments.entry validate constraint entry_kind_check;
