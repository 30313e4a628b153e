-- Change: an address may have the VAT number of the business it belongs to.
-- Previous release: names its columns, so it does not see this one.

alter table accounts.address add column vat_number text;
