"""ClickHouse over HTTP: a server of its own that many machines reach, for more facts than one file is for.

It has no transactions, so the order of writing stands for them. Every row has a key, and of rows of one key
the newest is kept, so what is written again is the same. The position is a row beside the facts, the last of
their insert: it is never there without them. Facts without it are found by their key when they come again.
An insert names itself by what is in it (a deduplication token), so one that is sent again, because its answer
was lost, is not stored twice either. All facts anew are another table, which takes the other's place in one
step. Products and looks go first: whoever is killed between reads them again."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit

import httpx
import msgspec

from mercat.analytics.engine import Batch, Fact, LookRow, Params
from mercat.analytics.engines.statements import OF_A_DAY, Statements

PORT = 8123
_ANSWERS_WITHIN_S = 60
_STATEMENTS = Path(__file__).with_suffix(".sql")
_SAID_MAX = 500
_LIST_MAX = 30_000
_PARAMETER = re.compile(r"\{(\w+):[^{}]+\}")
_AWAY = (httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT)
_ALWAYS = {
    "wait_end_of_query": "1",  # an answer that breaks off has the status of one
    "async_insert": "0",  # what is answered is written
    "join_use_nulls": "1",
    "output_format_json_quote_64bit_integers": "0",
    "input_format_null_as_default": "0",
    "max_execution_time": str(_ANSWERS_WITHIN_S),
}


class ClickHouseAway(ConnectionError):
    """ClickHouse does not answer."""


class ClickHouseRefused(RuntimeError):
    """ClickHouse does not carry out a statement; the message is its own."""


class ClickHouseEngine:
    """The facts of one shop in a database of a ClickHouse."""

    def __init__(self, url: str) -> None:
        """Find the database of an address, or make it: `http[s]://[user:password@]host:port/database`."""
        parts = urlsplit(url)
        database = parts.path.strip("/") or "mercat"
        self._statements = Statements(_STATEMENTS)
        self._into = "now"
        self._http = httpx.Client(
            base_url=f"{parts.scheme}://{parts.hostname}:{parts.port or PORT}",
            auth=(unquote(parts.username or "default"), unquote(parts.password or "")),
            timeout=_ANSWERS_WITHIN_S + 5,
        )
        self._database = ""
        self._run("make_database", {"database": database})
        self._database = database
        for statement in self._statements.each_of("schema"):
            self._send(statement, {})

    def position(self) -> int | None:
        [row] = self.ask("position", {})
        return row["position"]

    def append(self, batch: Batch, position: int) -> set[date]:
        days, facts = self._fresh(batch)
        self._insert_facts(facts, position, whole=True)
        return days

    def start_anew(self) -> None:
        self._run("lose_anew")
        self._run("make_anew")
        self._into = "anew"

    def add(self, batch: Batch) -> set[date]:
        days, facts = self._fresh(batch)
        self._insert_facts(facts, 0)
        return days

    def finish(self, position: int) -> None:
        self._insert_facts([], position, whole=True)
        self._run("exchange")
        self.give_up()

    def give_up(self) -> None:
        self._into = "now"
        self._run("lose_anew")

    def settle(self, before: date) -> None:
        while days := self.ask("days_to_settle", {"before": before}):
            for row in days:
                for name in ("settle", "sum_words", "sum_quarters", "settled"):
                    self._run(name, OF_A_DAY | {"day": row["day"]})

    def forget_looks(self, before: date) -> None:
        for name in ("looks", "searched", "words", "quarters", "settled"):
            self._run(f"forget_{name}", {"before": before})

    def ask(self, name: str, params: Params) -> list[dict[str, Any]]:
        """Answer a question of this engine's statements. Parameters travel in the address, so a list that is
        too long for one is asked in halves: what is asked with a list is asked of each of its members."""
        text = self._statements.text(name, params)
        for key in set(_PARAMETER.findall(text)):
            value: Any = params[key]
            if isinstance(value, list) and len(quote(_written(value))) > _LIST_MAX:
                every = cast(list[Any], value)
                halves = every[: len(every) // 2], every[len(every) // 2 :]
                return [row for half in halves for row in self.ask(name, {**params, key: half})]
        answer = msgspec.json.decode(self._send(f"{text}\nformat JSONCompact", params), type=_Answer)
        reads = [(column["name"], _reader(column["type"])) for column in answer.meta]
        return [
            {
                name: read(value) if read and value is not None else value
                for (name, read), value in zip(reads, row, strict=True)
            }
            for row in answer.data
        ]

    def close(self) -> None:
        self._http.close()

    def _fresh(self, batch: Batch) -> tuple[set[date], list[Fact]]:
        """Keep products and looks; return the facts that are not here yet, and their days (UTC)."""
        self._insert("take_products", [msgspec.structs.asdict(each) for each in batch.products])
        self._take_looks(batch.looks)
        facts = self._not_here(batch.facts)
        return {fact.happened.astimezone(UTC).date() for fact in facts}, facts

    def _not_here(self, facts: Sequence[Fact]) -> list[Fact]:
        if not facts:
            return []
        orders = sorted({fact.order_id for fact in facts})
        asked = {"least": orders[0], "most": orders[-1], "orders": orders, "into": self._into}
        here = {tuple(row.values()) for row in self.ask("facts_here", asked)}
        every = {(fact.kind, fact.source, fact.line): fact for fact in reversed(facts)}
        return [fact for key, fact in every.items() if key not in here]

    def _take_looks(self, looks: Sequence[LookRow]) -> None:
        """Keep looks that are not here; a day of theirs that was settled is so no more, before they come."""
        if not looks:
            return
        days = sorted({look.happened.astimezone(UTC).date() for look in looks})
        batches = sorted({look.batch for look in looks})
        here = {tuple(row.values()) for row in self.ask("looks_here", {"days": days, "batches": batches})}
        fresh = [look for look in looks if (look.batch, look.number) not in here]
        if fresh:
            late = sorted({look.happened.astimezone(UTC).date() for look in fresh})
            self._run("unsettle", {"days": late})
            self._insert("take_looks", [msgspec.structs.asdict(look) for look in fresh])

    def _insert_facts(self, facts: Sequence[Fact], position: int, *, whole: bool = False) -> None:
        """Write facts; `whole`: and, as the last row, that all up to a position are here."""
        rows = [msgspec.structs.asdict(fact) | {"position": position} for fact in facts]
        if whole:
            rows.append({"kind": "position", "order_id": 0, "source": 0, "line": 0, "position": position})
        self._insert("take_facts", rows, {"into": self._into})

    def _insert(self, name: str, rows: Sequence[Mapping[str, Any]], params: Params | None = None) -> None:
        if not rows:
            return
        body = b"\n".join(
            msgspec.json.encode({key: _stored(value) for key, value in row.items()}) for row in rows
        )
        token = blake2b(body, digest_size=16, key=name.encode()).hexdigest()
        text = f"{self._statements.text(name, params)} format JSONEachRow"
        self._send(text, {}, body, insert_deduplication_token=token)

    def _run(self, name: str, params: Params | None = None) -> None:
        self._send(self._statements.text(name, params), params or {})

    def _send(self, text: str, params: Params, body: bytes = b"", **more: str) -> bytes:
        """Let the server carry out one statement. ClickHouseAway where nobody answers."""
        used = {f"param_{name}": _written(params[name]) for name in set(_PARAMETER.findall(text))}
        asked = _ALWAYS | used | more | ({"database": self._database} if self._database else {})
        try:
            if body:
                answer = self._http.post("/", params=asked | {"query": text}, content=body)
            else:
                answer = self._http.post("/", params=asked, content=text.encode())
        except httpx.HTTPError as error:
            raise ClickHouseAway(f"ClickHouse does not answer: {error!r}") from error
        if answer.status_code in _AWAY:
            raise ClickHouseAway(f"ClickHouse answers {answer.status_code}")
        if not answer.is_success:
            raise ClickHouseRefused(answer.text[:_SAID_MAX])
        return answer.content


class _Answer(msgspec.Struct):
    """An answer as JSONCompact has it."""

    meta: list[dict[str, str]]
    data: list[list[Any]]


def _reader(kind: str) -> Any:
    """Return what makes a value of a column's type from JSON; None: it is one."""
    kind = kind.removeprefix("Nullable(")
    if kind.startswith("DateTime"):
        return datetime.fromisoformat
    return date.fromisoformat if kind.startswith("Date") else None


def _stored(value: Any) -> Any:
    """Write a value of a row."""
    return _moment(value) if isinstance(value, datetime) else value


def _moment(at: datetime) -> str:
    naive = at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
    return naive.isoformat(sep=" ", timespec="microseconds")


def _written(value: Any) -> str:
    """Write a value as a parameter's text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, str):
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    if isinstance(value, list):
        return f"[{','.join(_quoted(each) for each in cast(list[Any], value))}]"
    return str(value)


def _quoted(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"
