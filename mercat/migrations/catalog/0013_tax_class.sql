-- Change: a product says in which class of tax it is; null is the standard.
-- Previous release: names its columns, so it does not see this one.

alter table catalog.product add column tax_class text check (tax_class ~ '^[a-z0-9][a-z0-9_-]{0,29}$');
