"""A line to the simulator that breaks after exactly so many bytes, in one direction or the other."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType

OUT, BACK = "out", "back"
PIECE = 65536


class CutLine:
    """Forwards a port of its own to `port`. Once cut, nothing passes until it is mended; connections die by reset.

    Bytes are counted over all connections since the last `mend`. Use it as a context manager.
    """

    def __init__(self, port: int) -> None:
        self._upstream = ("127.0.0.1", port)
        self._lock = threading.Lock()
        self._room: dict[str, int | None] = {OUT: None, BACK: None}
        self.passed = {OUT: 0, BACK: 0}
        self.is_cut = False
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._door = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._door.getsockname()[1])

    def __enter__(self) -> CutLine:
        threading.Thread(target=self._answer, daemon=True, name="cut-line").start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._door.close()
        self._break_all()

    def cut_after(self, direction: str, count: int) -> None:
        """Let `count` more bytes pass in that direction, then break everything."""
        with self._lock:
            self._room[direction] = count

    def mend(self) -> None:
        """A whole line again, with new connections only."""
        self._break_all()
        with self._lock:
            self._room = {OUT: None, BACK: None}
            self.passed = {OUT: 0, BACK: 0}
            self.is_cut = False

    def _answer(self) -> None:
        while True:
            try:
                near, _address = self._door.accept()
            except OSError:
                return
            if self.is_cut:
                _reset(near)
                continue
            far = socket.create_connection(self._upstream)
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._pairs.add((near, far))
            for source, sink, direction in ((near, far, OUT), (far, near, BACK)):
                threading.Thread(
                    target=self._carry, args=(source, sink, direction, (near, far)), daemon=True, name="cut-line"
                ).start()

    def _carry(
        self, source: socket.socket, sink: socket.socket, direction: str, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                with self._lock:
                    room = self._room[direction]
                    if room is not None:
                        piece = piece[:room]
                        self._room[direction] = room - len(piece)
                    self.passed[direction] += len(piece)
                    over = self._room[direction] == 0
                    self.is_cut = self.is_cut or over
                if piece:
                    sink.sendall(piece)
                if over:
                    self._break_all()
                    return
            sink.shutdown(socket.SHUT_WR)
        with self._lock:
            self._pairs.discard(pair)

    def _break_all(self) -> None:
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for one in pair:
                _reset(one)


def _reset(one: socket.socket) -> None:
    """Close with a reset, so that the other side sees a broken line and not an end."""
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
