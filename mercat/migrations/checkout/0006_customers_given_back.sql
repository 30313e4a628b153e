-- Change: a purchase that was undone stays noted as given back, so that a count which comes late is refused.
-- Previous release: does not count.

alter table checkout.customer_units add column given_back boolean not null default false;
