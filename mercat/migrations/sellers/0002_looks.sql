-- Change: what a seller's name looks like, so that two that look alike are not both taken.
-- Previous release: leaves it empty; it is filled in before the next name is given.

alter table sellers.seller add column looks text unique;
create index seller_without_looks on sellers.seller (seller_id) where looks is null;
