-- Change: who is more than a shopper, or disabled, is not found by looking at all.
-- Previous release: does not mind.
-- not in a transaction

create index concurrently person_seldom on accounts.person (user_id desc)
    where disabled_at is not null or seller_id is not null or 'operator' = any (roles);
