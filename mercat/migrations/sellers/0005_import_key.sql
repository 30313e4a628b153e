-- Change: what a seller sends under a key is begun once.
-- Previous release: sends none; it finds no format named `prices` and says so of price edits, changing nothing.

alter table sellers.import add column key text;
create unique index import_key on sellers.import (seller_id, key) where key is not null;
