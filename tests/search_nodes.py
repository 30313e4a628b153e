"""Servers that answer as nodes of OpenSearch do, with a status each."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


class Node(HTTPServer):
    """Answers everything with a status, and keeps who asked."""

    def __init__(self, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.status = status
        self.asked: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Node)
        self.server.asked.append(self.headers["authorization"])
        self.send_response(self.server.status)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def answering(*statuses: int) -> Iterator[list[Node]]:
    nodes = [Node(status) for status in statuses]
    for node in nodes:
        threading.Thread(target=node.serve_forever, daemon=True).start()
    yield nodes
    for node in nodes:
        node.shutdown()
        node.server_close()
