-- Change: what somebody bought of what is limited is found by the person, to be forgotten with them.
-- Previous release: does not ask for it.

create index customer_units_person on checkout.customer_units (person);
