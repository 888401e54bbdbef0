# SPDX-License-Identifier: GPL-3.0-only
"""spread's way into this machine, as spread itself uses it: a password, scripts on stdin, exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from harness.host.deadline import Deadline, wait_until
from harness.host.process import run

SERVER = Path(__file__).resolve().parents[2] / "ci" / "spread" / "loopback_ssh.py"
PASSWORD = "of-this-session"


def server(*arguments: str, home: Path) -> str:
    env = {
        **os.environ,
        "SPREAD_PASSWORD": PASSWORD,
        "XDG_RUNTIME_DIR": str(home),
        "PYTHONPATH": str(Path.cwd()),
    }
    return run([sys.executable, SERVER, *arguments], env=env, timeout=60).stdout.decode().strip()


def connected(address: str, password: str = PASSWORD, user: str = "root") -> paramiko.SSHClient:
    host, _, port = address.partition(":")
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect(host, int(port), user, password, look_for_keys=False, allow_agent=False)
    return client


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    found = server("start", home=tmp_path)
    yield found
    server("stop", found, home=tmp_path)


def script(client: paramiko.SSHClient, text: str, command: str = "/bin/bash - 2>&1") -> tuple[int, str]:
    """Run a script the way spread does: bash reads it from the channel."""
    stdin, stdout, _ = client.exec_command(command)
    stdin.write(text)
    stdin.channel.shutdown_write()
    return stdout.channel.recv_exit_status(), stdout.read().decode()


def test_a_script_runs_with_its_output_and_status(address: str) -> None:
    with connected(address) as client:
        assert script(client, "set -eu\n(\necho out; echo err >&2; exit 64\n) < /dev/null\n") == (
            64,
            "out\nerr\n",
        )


def test_files_arrive_whole(address: str, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    with connected(address) as client:
        stdin, stdout, _ = client.exec_command(f"cat >'{tmp_path}/sent'")
        stdin.write(data)
        stdin.channel.shutdown_write()
        assert stdout.channel.recv_exit_status() == 0
        _, back, _ = client.exec_command(f"cat '{tmp_path}/sent'")
        assert back.read() == data


def test_what_a_script_leaves_behind_is_ended_with_it(address: str) -> None:
    with connected(address) as client:
        status, output = script(client, "sleep 600 &\necho $!\n")
    assert status == 0
    wait_until(
        lambda: not Path("/proc", output.strip()).exists(), Deadline.after(30), what="the sleep to end"
    )


@pytest.mark.parametrize(("user", "password"), [("root", "wrong"), ("somebody", PASSWORD)])
def test_nobody_else_gets_in(address: str, user: str, password: str) -> None:
    with pytest.raises(paramiko.AuthenticationException):
        connected(address, password, user)


def test_it_ends_when_told(tmp_path: Path) -> None:
    address = server("start", home=tmp_path)
    server("stop", address, home=tmp_path)
    wait_until(lambda: not list(tmp_path.iterdir()), Deadline.after(30), what="the server to end")
    with pytest.raises(paramiko.ssh_exception.NoValidConnectionsError):
        connected(address)
