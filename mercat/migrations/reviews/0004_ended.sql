-- Change: a review whose purchase was paid back whole is hidden, and comes back with another purchase, rather than
-- being deleted.
-- Previous release: deletes such a review as it did; one that is hidden it shows again only where an operator says so.

alter table reviews.review add column ended boolean not null default false;
