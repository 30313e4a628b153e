-- Change: people are found by words.
-- Previous release: does not mind.
-- not in a transaction

create index concurrently person_words on accounts.person using gin (accounts.words(name, email));
