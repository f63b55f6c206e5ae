"""A small S3 that can be taken away: refused connections, errors, silence, lost answers."""

import hashlib
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

Fault = Literal["", "refuse", "500", "503", "429", "drop", "lose", "silent"]


class FaultyS3:
    """Objects in memory behind the part of S3's protocol that stores speak, on a port of the loopback that stays its
    own while nobody listens there.

    Attributes:
        objects: by path.
        fault: what happens to requests: `drop` closes the connection, `lose` does as asked and closes it then, `silent`
            never answers.
        seen: requests (method, path) that came during a fault.
        until: requests of a fault after which it ends by itself, None for never.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.fault: Fault = ""
        self.seen: list[tuple[str, str]] = []
        self.until: int | None = None
        self.lock = threading.Lock()
        self._ended = threading.Event()
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._holder.bind(("127.0.0.1", 0))
        self.port = int(self._holder.getsockname()[1])
        self._timers: list[threading.Timer] = []
        self._server: ThreadingHTTPServer | None = None
        self.listen()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def listen(self) -> None:
        """Come (back)."""
        service = self

        class Handler(_Handler):
            faulty = service

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def server_bind(self) -> None:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                super().server_bind()

        self.fault, self._server = "", Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def break_down(self, fault: Fault, *, requests: int | None = None, seconds: float | None = None) -> None:
        """From now on, until so many requests came or so many seconds have passed."""
        self.seen, self.until = [], requests
        if fault == "refuse":
            assert self._server is not None
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        self.fault = fault
        if seconds is not None:
            self._timers.append(threading.Timer(seconds, self.recover))
            self._timers[-1].start()

    def recover(self) -> None:
        """All is well again."""
        if self._server is None:
            self.listen()
        self.fault = ""

    def wait_for_end(self) -> None:
        """What does not answer does not until here."""
        self._ended.wait()

    def close(self) -> None:
        self._ended.set()
        for timer in self._timers:
            timer.cancel()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._holder.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faulty: FaultyS3

    def log_message(self, *_: Any) -> None:
        pass

    def _handle(self) -> None:
        faulty, parts = self.faulty, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with faulty.lock:
            fault = faulty.fault
            if fault:
                faulty.seen.append((self.command, parts.path))
                if faulty.until is not None and len(faulty.seen) >= faulty.until:
                    faulty.fault = ""
            if fault in ("", "lose"):
                answer = self._answer(unquote(parts.path), parse_qs(parts.query), body)
        if fault in ("500", "503", "429"):
            self._send(int(fault), b"<Error><Code>SlowDown</Code></Error>")
        elif fault == "silent":
            faulty.wait_for_end()
        elif not fault:
            self._send(*answer)
        if fault in ("drop", "lose", "silent", "refuse"):
            self.close_connection = True

    do_GET = do_PUT = do_HEAD = _handle

    def _answer(self, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, bytes]:
        objects = self.faulty.objects
        if "list-type" in query:
            prefix = f"{path.rstrip('/')}/{query.get('prefix', [''])[0]}"
            keys = sorted(key for key in objects if key.startswith(prefix))
            entries = "".join(
                f"<Contents><Key>{key[len(path.rstrip('/')) + 1 :]}</Key><Size>{len(objects[key])}</Size>"
                f"<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>{_tag(objects[key])}</ETag></Contents>"
                for key in keys
            )
            return 200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>".encode()
        there = objects.get(path)
        if self.command == "PUT":
            wanted = self.headers.get("If-Match")
            if (self.headers.get("If-None-Match") and there is not None) or (
                wanted is not None and (there is None or _tag(there) != wanted)
            ):
                return 412, b""
            objects[path] = body
            return 200, b""
        if there is None:
            return 404, b""
        self._range = ""
        if wanted := self.headers.get("Range"):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            end = min(len(there), int(last) + 1 if last else len(there))
            self._range = f"bytes {first}-{end - 1}/{len(there)}"
            return 206, there[int(first) : end]
        return 200, there

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", self._range)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", _tag(content if self.command != "PUT" else self.faulty.objects.get(self.path, b"")))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _tag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def wait_until(condition: Any, seconds: float = 60) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)
