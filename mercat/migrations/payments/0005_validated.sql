-- Change: what 0003 and 0004 say of payments, refunds and entries is checked of those that were there; writers go on
--   meanwhile.
-- Previous release: writes what is allowed.

alter table payments.payment validate constraint tendered_within_amount;
alter table payments.refund validate constraint stored_within_amount;
alter table payments.entry validate constraint entry_kind_check;
