-- Change: a webhook that is asked for twice under one key is made once.
-- Previous release: names its columns and knows no keys.

alter table webhooks.receiver add column once bytea;
create unique index receiver_once on webhooks.receiver (seller_id, once) where once is not null;
