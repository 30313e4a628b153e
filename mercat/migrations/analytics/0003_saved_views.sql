-- Change: views of reports that people saved, to be mailed each week.
-- Previous release: does not know this table.

-- Each person has twenty places for them. `seller_id`: of that seller's goods alone; none: of the whole shop.
create table analytics.saved_view (
    view_id   bigint      primary key,
    user_id   bigint      not null,
    seller_id bigint,
    place     smallint    not null check (place between 1 and 20),
    name      text        not null check (length(name) between 1 and 80),
    report    text        not null check (length(report) between 1 and 40),
    by        text        check (length(by) <= 40),
    tz        text        not null check (length(tz) between 1 and 64),
    next_at   timestamptz not null,
    unique (user_id, place)
);

create index saved_view_due on analytics.saved_view (next_at);
