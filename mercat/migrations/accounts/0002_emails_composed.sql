-- Change: e-mail addresses are kept in Unicode's composed form (NFC), in which they are looked up from now on.
-- Previous release: reads and writes the same column; it finds these addresses when they are typed composed.

update accounts.person p set email = normalize(p.email, nfc)
where p.email is not nfc normalized
    and not exists (select from accounts.person other where lower(other.email) = lower(normalize(p.email, nfc)));
