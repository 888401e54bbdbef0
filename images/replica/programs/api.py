# SPDX-License-Identifier: GPL-3.0-only
"""The little of HTTP that a daemon and its client need to talk over a socket of the same machine."""

import json
import socket

SOCKET = "/run/snapd.socket"


def ask(method, path, body=None, seconds=None):
    """The daemon's answer; raises OSError when there is none in time."""
    data = json.dumps(body).encode() if body is not None else b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        connection.connect(SOCKET)
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
        connection.sendall(head.encode() + data)
        with connection.makefile("rb") as stream:
            stream.readline()
            content = _content(stream)
    try:
        return json.loads(content)
    except ValueError as error:
        raise OSError(f"snapd's answer ended early: {error}") from error


def serve_one(connection, respond):
    """Answer one request: `respond` gives status and content by method, path and body."""
    with connection, connection.makefile("rb") as stream:
        words = stream.readline().decode("latin-1").split()
        if len(words) < 2:
            return
        content = _content(stream)
        status, answer = respond(words[0], words[1], json.loads(content) if content else {})
        data = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + data)


def _content(stream):
    length = 0
    while line := stream.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() == "content-length":
            length = int(value)
    return stream.read(length)
