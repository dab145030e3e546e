"""A server of the OpenAI form around the packaged SmolLM2, in a process of its own; tests start and stop it.

    python -m tests.curation.serve_smollm2      # prints its port

It answers one question at a time and refuses others meanwhile with status 429, as busy servers do.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import torch

from nemo_lab.curation.rewriting.writer import LocalWriter, WriterPrompt


class Handler(BaseHTTPRequestHandler):
    """Answers `POST …/chat/completions` by the model, greedily."""

    writer: LocalWriter
    busy = threading.Lock()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.busy.acquire(blocking=False):
            self._send(429, {"error": {"message": "busy"}}, {"Retry-After": "0.2"})
            return
        try:
            reply = self.writer.write([WriterPrompt(body["messages"][0]["content"])], int(body["max_tokens"]))[0]
        finally:
            self.busy.release()
        reason = "stop" if reply.ended else "length"
        message = {"role": "assistant", "content": reply.text}
        self._send(200, {"choices": [{"index": 0, "message": message, "finish_reason": reason}]}, {})

    def _send(self, status: int, body: dict, headers: dict[str, str]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Load the model, print the port, serve until killed."""
    torch.set_num_threads(1)
    Handler.writer = LocalWriter.packaged("smollm2")
    Handler.writer.temperature = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
