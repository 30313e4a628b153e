"""A ClickHouse for tests: chDB, which is ClickHouse in a process, behind the part of its HTTP that is used.

`python clickhouse_server.py FOLDER PORT`. It ends with its standard input."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from chdb import session

_NOT_SETTINGS = {"query", "database", "wait_end_of_query"}
_one_at_a_time = threading.Lock()


def literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    database: session.Session

    def do_POST(self) -> None:
        asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        text = f"{asked['query']}\n{body}" if "query" in asked else body
        with _one_at_a_time:
            status, said = self.carried_out(asked, text)
        self.send_response(status)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def carried_out(self, asked: dict[str, str], text: str) -> tuple[int, bytes]:
        given = {name: value for name, value in asked.items() if name not in _NOT_SETTINGS}
        try:
            self.database.query(f"use {asked.get('database', 'default')}")
            for name, value in given.items():
                self.database.query(f"set {name} = {literal(value)}")
            return 200, self.database.query(text, "JSONCompact").bytes()
        except Exception as error:
            return 500, str(error).encode()
        finally:
            for name in given:
                if not name.startswith("param_"):
                    self.database.query(f"set {name} = default")

    def log_message(self, *args: object) -> None:
        pass


if __name__ == "__main__":
    Handler.database = session.Session(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()
