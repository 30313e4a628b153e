-- Change: whether an offer was counted since is found by an index; buying writes nothing into it.
-- Previous release: does not mind.
-- not in a transaction

create index concurrently movement_counted on inventory.movement using gin (offer_ids) where kind = 'counted';
