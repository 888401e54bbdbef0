# SPDX-License-Identifier: GPL-3.0-only
"""The answers of snapd's API, over a real socket that the daemon may leave open."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.probe import daemon

BODY = b'{"type":"sync","result":{"ready":true}}'
HALVES = BODY[:11], BODY[11:]
CHUNKED = b"".join(b"%x\r\n%s\r\n" % (len(half), half) for half in HALVES) + b"0\r\n\r\n"


@contextmanager
def snapd(socket_file: Path, answer: bytes, *, stays_open: bool) -> Iterator[list[bytes]]:
    """A daemon that gives one answer; `stays_open` as 2.49 on a new kernel."""
    asked: list[bytes] = []
    done = threading.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(socket_file))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(4096))
                connection.sendall(answer)
                if stays_open:
                    done.wait(30)

        server = threading.Thread(target=serve)
        server.start()
        try:
            yield asked
        finally:
            done.set()
            server.join()


@pytest.mark.parametrize(
    ("head", "body", "stays_open"),
    [
        (b"Content-Length: %d\r\n" % len(BODY), BODY, True),
        (b"content-length:%d\r\n" % len(BODY), BODY, False),
        (b"Transfer-Encoding: chunked\r\n", CHUNKED, True),
        (b"", BODY, False),
    ],
    ids=["length", "closed", "chunks", "until-the-end"],
)
def test_an_answer_ends_where_it_says(tmp_path: Path, head: bytes, body: bytes, stays_open: bool) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + head + b"\r\n" + body
    with snapd(tmp_path / "socket", answer, stays_open=stays_open) as asked:
        assert daemon.ask("/v2/changes/7", str(tmp_path / "socket")) == BODY
    assert asked[0].startswith(b"GET /v2/changes/7 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED[:-9],
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + BODY,
    ],
    ids=["length", "chunks", "no-number"],
)
def test_an_answer_that_is_cut_short_is_none(tmp_path: Path, answer: bytes) -> None:
    with snapd(tmp_path / "socket", answer, stays_open=False), pytest.raises(ValueError, match=r"."):
        daemon.ask("/v2/changes/7", str(tmp_path / "socket"))
