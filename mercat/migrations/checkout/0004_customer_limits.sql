-- Change: what one customer may buy of an offer in all is counted.
-- Previous release: does not count; what it sells is not limited.

-- So many units of an offer a person has in purchases that run or were made, and how many they may have: the limit of
-- the last purchase that was let in. `person`: a keyed hash of their e-mail.
create table checkout.customer (
    person   bytea   not null,
    offer_id bigint  not null,
    units    integer not null,
    most     integer not null,
    primary key (person, offer_id),
    constraint within_the_limit check (units between 0 and most)
);

-- Of which purchase they are: it counts once, and gives back what it did not buy.
create table checkout.customer_units (
    checkout_id bigint  not null,
    offer_id    bigint  not null,
    order_id    bigint  not null,
    person      bytea   not null,
    units       integer not null check (units >= 0),
    primary key (checkout_id, offer_id)
);
create index customer_units_order on checkout.customer_units (order_id);
