# SPDX-License-Identifier: GPL-3.0-only
"""`snapd`: makes policy anew when it starts, then answers, and carries changes out one after the other."""

import os
import queue
import socket
import subprocess
import sys
import threading

import api
import era
import policy
import reexec
import store
import system_key
import tasks
import units

_FIRST_DESCRIPTOR = 3  # of those that systemd passes (sd_listen_fds(3))


def main(_arguments):
    """Runs until systemd ends it, or a change of core has it make way."""
    reexec.hand_over("/usr/lib/snapd/snapd")
    table = era.own()
    state = store.State()
    if state.snaps:
        units.link_daemon(table)
    remake_all(table, state)
    daemon = Daemon(table, state)
    threading.Thread(target=daemon.work, daemon=True).start()
    if table.daemon.notifies:
        _say_ready()
    daemon.serve(_listening())


def remake_all(table, state):
    """Every snap's policy, before anybody is answered; with a system-key only when it is another's."""
    if table.daemon.key_version and system_key.matches(table):
        return
    policy.remake(table, state, state.apps(), table.daemon.regenerates)
    if table.daemon.key_version:
        era.write(system_key.PATH, system_key.wanted(table))


class Daemon:
    """The API, and the changes that it is asked for."""

    def __init__(self, table, state):
        self._table = table
        self._state = state
        self._steps = tasks.Steps(table, state)
        self._queue = queue.Queue()
        self._lock = threading.Lock()
        for number, change in state.changes.items():
            if not change["ready"]:
                self._queue.put(number)

    def serve(self, listening):
        """Answer, each connection in a thread of its own."""
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        try:
            api.serve_one(connection, self._respond)
        except (OSError, ValueError) as error:
            print(f"replica: cannot answer: {error}", file=sys.stderr)

    def _respond(self, method, path, body):
        path, _, query = path.partition("?")
        with self._lock:
            if method == "POST":
                return self._accept(body)
            if path == "/v2/system-info":
                return _sync({"version": self._table.full_name, "series": "16"})
            if path == "/v2/snaps":
                return _sync(list(_rows(self._state)))
            if path == "/v2/changes":
                wants_all = "select=all" in query
                return _sync([one for one in self._state.changes.values() if wants_all or not one["ready"]])
            change = self._state.changes.get(path.rpartition("/")[2])
            return _sync(change) if path.startswith("/v2/changes/") and change else _error(404, "not found")

    def _accept(self, body):
        try:
            summary, steps = tasks.planned(self._state, body["action"], body["names"])
        except (tasks.CannotChange, IndexError, KeyError) as error:
            return _error(400, str(error))
        number = self._state.add_change(f"{body['action']}-snap", summary, steps)
        self._queue.put(number)
        return 202, {
            "type": "async",
            "status-code": 202,
            "status": "Accepted",
            "result": None,
            "change": number,
        }

    def work(self):
        """Carry out what is asked for."""
        while True:
            self._carry_out(self._state.changes[self._queue.get()])

    def _carry_out(self, change):
        makes_way = False
        while change["tasks"]:
            change["status"] = "Doing"
            try:
                makes_way |= bool(self._steps.do(*change["tasks"][0]))
            except (OSError, subprocess.CalledProcessError, ValueError, KeyError) as error:
                self._end(change, "Error", f"cannot perform {change['tasks'][0]}: {error}")
                return
            with self._lock:
                change["tasks"].pop(0)
                if change["tasks"]:
                    self._state.save()
        if makes_way:
            # Nobody is told that it is done by a snapd that must not go on.
            self._lock.acquire()
            change.update(status="Done", ready=True)
            self._state.save()
            sys.stderr.flush()
            os._exit(0)
        self._end(change, "Done")

    def _end(self, change, status, why=""):
        with self._lock:
            change.update(status=status, ready=True, err=why)
            self._state.save()


def _rows(state):
    for name, one in sorted(state.snaps.items()):
        for revision in one["sequence"]:
            version = store.meta(name, revision)["version"]
            current = revision == one["current"]
            yield {"name": name, "version": version, "revision": revision, "current": current}


def _sync(result):
    return 200, {"type": "sync", "status-code": 200, "status": "OK", "result": result}


def _error(status, message):
    answer = {"message": message}
    return status, {"type": "error", "status-code": status, "status": "Error", "result": answer}


def _listening():
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        return socket.socket(fileno=_FIRST_DESCRIPTOR)
    if os.path.exists(api.SOCKET):
        os.unlink(api.SOCKET)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(api.SOCKET)
    listening.listen(64)
    return listening


def _say_ready():
    where = os.environ.get("NOTIFY_SOCKET", "")
    if where:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(b"READY=1", "\0" + where[1:] if where.startswith("@") else where)
