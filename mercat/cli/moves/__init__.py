"""A shop on one machine moves to engines elsewhere, part by part, while it sells: `mercat move-in`.

parts.py       what a part is, and which settings it is made of
mover.py       the steps of each move, one after another, whoever is killed when
pictures.py    the folder of pictures and a bucket
search.py      the index in the shop's folder and OpenSearch
analytics.py   DuckDB and ClickHouse
log.py         the event log in PostgreSQL and in Kafka
carts.py       the store in the shop's folder and a Valkey elsewhere
database.py    the shop's own PostgreSQL and a server that follows it
guard.py       looks after a hand-over whose command dies

While a part moves, the shop keeps it in both places, and answers from the former. So workers can be replaced
one after another, and nothing of what happens meanwhile is missing in either. Carts and the database are
written in one place alone: they are handed over, and for some seconds nobody writes.
"""
