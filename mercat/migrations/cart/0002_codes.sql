-- Change: the copy of a cart has its codes.
-- Previous release: names its columns, so it does not see this one; what it copies keeps the codes of before.

alter table cart.copy add column codes json;
