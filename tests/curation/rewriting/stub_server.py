"""A server on this machine that answers as a test says."""

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Stub(ThreadingHTTPServer):
    """Answers as `behave` says: a text, or (status, headers, body)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict] = []
        self.behave = lambda text, count: text

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append({"path": self.path, "key": self.headers.get("Authorization"), **body})
        text = re.split("TEXT:\n", body["messages"][0]["content"], maxsplit=1)[1]
        answer = self.server.behave(text, len(self.server.asked))
        if isinstance(answer, str):
            answer = (200, {}, json.dumps({"choices": [{"message": {"content": answer}}]}).encode())
        status, headers, content = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass
