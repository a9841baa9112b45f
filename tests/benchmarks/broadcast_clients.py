"""Many WebSocket clients in one process, without a library, so that the server is what is measured.

Run as a script. Reads commands from stdin, one JSON object a line, and answers each with one on stdout:
`connect`, `report` (once every reader has counted `upto` messages, or after `wait_s`), `close`. A message
counts if it holds `"sent_s":` and a time of this machine's monotonic clock, from which its delay is taken.
"""

import base64
import json
import os
import selectors
import socket
import statistics
import sys
import time
from urllib.parse import urlsplit

STAMP = b'"sent_s":'


class Reader:
    __slots__ = ("count", "data", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.data = b""
        self.count = 0

    def read(self, delays: list[float]) -> bool:
        """Read what is there, answer pings, and return False at the end of the connection."""
        try:
            data = self.sock.recv(1 << 16)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        now_s = time.monotonic()
        data = self.data + data if self.data else data
        start, size = 0, len(data)
        while size - start >= 2:
            length, header = data[start + 1], 2
            if length == 126:
                header, length = 4, int.from_bytes(data[start + 2 : start + 4], "big")
            elif length == 127:
                header, length = 10, int.from_bytes(data[start + 2 : start + 10], "big")
            end = start + header + length
            if end > size:
                break
            if data[start] == 0x89:
                self.sock.send(b"\x8a\x80\0\0\0\0")
            elif data[start] == 0x81:
                stamp = data.find(STAMP, start, end)
                if stamp >= 0:
                    self.count += 1
                    stamp += len(STAMP)
                    delays.append(now_s - float(data[stamp : data.find(b"}", stamp)].partition(b",")[0]))
            start = end
        self.data = data[start:]
        return size > 0


def handshake(url: str, token: str, *, mute: bool) -> socket.socket:
    parts = urlsplit(url)
    sock = socket.socket()
    if mute:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(30)
    sock.connect((parts.hostname, parts.port))
    sock.sendall(
        (
            f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
            f"Authorization: Bearer {token}\r\n\r\n"
        ).encode()
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):  # byte by byte, since frames may follow at once
        answer += sock.recv(1)
    assert b" 101 " in answer, answer
    sock.setblocking(False)
    return sock


class Crowd:
    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.readers: list[Reader] = []
        self.mute: list[socket.socket] = []
        self.delays: list[float] = []
        self.lost = 0
        self.last_s = 0.0

    def connect(self, url: str, token: str, readers: int, mute: int) -> dict:
        for _ in range(readers):
            reader = Reader(handshake(url, token, mute=False))
            self.readers.append(reader)
            self.selector.register(reader.sock, selectors.EVENT_READ, reader)
        self.mute += [handshake(url, token, mute=True) for _ in range(mute)]
        return {"connected": len(self.readers) + len(self.mute)}

    def turn(self, wait_s: float) -> bool:
        """Read once, and return whether a command has come."""
        command = False
        for key, _ in self.selector.select(wait_s):
            if key.data is None:
                command = True
            elif not key.data.read(self.delays):
                self.lost += 1
                self.selector.unregister(key.fileobj)
            else:
                self.last_s = time.monotonic()
        return command

    def report(self, upto: int, wait_s: float) -> dict:
        end_s = time.monotonic() + wait_s
        while time.monotonic() < end_s and any(reader.count < upto for reader in self.readers):
            self.turn(0.01)
        told = {
            "delivered": sum(min(reader.count, upto) for reader in self.readers),
            "expected": upto * len(self.readers),
            "lost_connections": self.lost,
            "last_s": self.last_s,
            "p50_ms": 1e3 * statistics.median(self.delays) if self.delays else None,
            "p99_ms": 1e3 * statistics.quantiles(self.delays, n=100)[98] if self.delays else None,
            "max_ms": 1e3 * max(self.delays, default=0.0),
        }
        for reader in self.readers:
            reader.count = 0
        self.delays.clear()
        return told

    def close(self) -> dict:
        for reader in self.readers:
            if reader.sock.fileno() in self.selector.get_map():
                self.selector.unregister(reader.sock)
            reader.sock.close()
        for sock in self.mute:
            sock.close()
        self.readers, self.mute, self.lost = [], [], 0
        return {}


def main() -> None:
    crowd = Crowd()
    crowd.selector.register(sys.stdin.buffer.fileno(), selectors.EVENT_READ, None)
    while True:
        if not crowd.turn(None):
            continue
        line = sys.stdin.buffer.readline()
        if not line:
            return
        command = json.loads(line)
        print(json.dumps(getattr(crowd, command.pop("do"))(**command)), flush=True)


if __name__ == "__main__":
    main()
