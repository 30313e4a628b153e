-- Change: pictures of a product that is not listed yet, which go once nobody lists it.
-- Previous release: names its columns, so it does not see this one; what it adds is no draft.

-- Until when a picture waits for its product; null: it is kept.
alter table media.holder add column draft_until timestamptz;

create index holder_draft on media.holder (draft_until) where draft_until is not null;
