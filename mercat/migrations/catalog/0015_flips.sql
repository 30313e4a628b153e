-- Change: offers whose sale begins or ends are found by when it does.
-- Previous release: does not mind.
-- not in a transaction

create index concurrently offer_flips on catalog.offer (flips_at) where flips_at is not null;
