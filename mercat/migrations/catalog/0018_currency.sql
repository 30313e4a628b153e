-- Change: the shop's own currency is kept; nothing of another one is on sale.
-- Previous release: sells in the currency of its setting, as before; an offer in another than the kept one is refused.

create table catalog.shop (
    only_one boolean primary key default true check (only_one),
    currency text    not null check (currency ~ '^[A-Z]{3}$')
);

create function catalog.check_currency() returns trigger language plpgsql as $$
declare
    own text := (select s.currency from catalog.shop s);
begin
    if own <> new.currency then
        raise check_violation using message = format('an offer in %s is not for sale in a shop that sells in %s',
            new.currency, own);
    end if;
    return new;
end
$$;
create trigger check_currency before insert or update of status, currency on catalog.offer
    for each row when (new.status = 'active') execute function catalog.check_currency();
