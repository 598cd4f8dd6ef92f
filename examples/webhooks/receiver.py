"""A receiver of callbacks for trying them out: prints what it is told. `python receiver.py [PORT]`."""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Receiver(BaseHTTPRequestHandler):
    """Answers 200 to every POST. A real one does so after it has stored the event."""

    def do_POST(self) -> None:
        """Print one event. It may come twice; the key is the same then."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        sys.stdout.write(f"{self.headers['Idempotency-Key']} {body}\n")
        sys.stdout.flush()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing but events is printed."""


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 9000), Receiver).serve_forever()
