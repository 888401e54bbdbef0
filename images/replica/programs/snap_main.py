# SPDX-License-Identifier: GPL-3.0-only
"""`snap`: asks snapd for changes and tells of them; `snap run` starts what a snap is for."""

import os
import time

import api
import era
import reexec
import snap_run
import words

PAUSE = 0.2
_CHANGES = ("install", "refresh", "revert", "remove", "connect", "disconnect")


def main(arguments):
    """The status to end with."""
    reexec.hand_over("/usr/bin/snap")
    verb, rest = (arguments[0], arguments[1:]) if arguments else ("help", [])
    if verb == "run":
        return snap_run.run(rest)
    options = [word for word in rest if word.startswith("--")]
    names = [word for word in rest if not word.startswith("--")]
    if verb in _CHANGES:
        return _change(verb, names, "--no-wait" in options)
    if verb in _QUESTIONS:
        return _QUESTIONS[verb](options)
    print(f"replica of {era.own().full_name}: {', '.join(('run', *_CHANGES, *_QUESTIONS))}")
    return 0 if verb == "help" else 1


def _change(verb, names, no_wait):
    if verb in ("install", "refresh"):
        names = [os.path.abspath(name) for name in names]
    answer = _ask("POST", "/v2/snaps", {"action": verb, "names": names})
    number = answer["change"]
    if no_wait:
        print(number)
        return 0
    while True:
        change = _ask("GET", f"/v2/changes/{number}")["result"]
        if change["ready"]:
            break
        time.sleep(PAUSE)
    if change["status"] != "Done":
        words.die(f"error: {change['err']}")
    print(f"{change['summary']}: done")
    return 0


def _ask(method, path, body=None):
    """A change of core takes snapd away; its socket stays, and the next one answers."""
    while True:
        try:
            answer = api.ask(method, path, body)
        except OSError as error:
            if method == "POST":
                words.die(f"error: cannot communicate with server: {error}")
            time.sleep(PAUSE)
            continue
        if answer["type"] == "error":
            words.die(f"error: {answer['result']['message']}")
        return answer


def _list(options):
    found = _ask("GET", "/v2/snaps")["result"]
    rows = [("Name", "Version", "Rev", "Developer", "Notes")]
    for one in found:
        if "--all" in options or one["current"]:
            notes = "-" if one["current"] else "disabled"
            rows.append((one["name"], one["version"], one["revision"], "-", notes))
    _table(rows)
    return 0


def _changes(_options):
    rows = [("ID", "Status", "Summary")]
    rows += [
        (one["id"], one["status"], one["summary"]) for one in _ask("GET", "/v2/changes?select=all")["result"]
    ]
    _table(rows)
    return 0


def _version(_options):
    _table([("snap", era.own().full_name), ("snapd", _ask("GET", "/v2/system-info")["result"]["version"])])
    return 0


def _wait(_options):
    """`snap wait system seed.loaded`: it is, as soon as snapd answers."""
    _ask("GET", "/v2/system-info")
    return 0


def _table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=False)).rstrip())


_QUESTIONS = {"list": _list, "changes": _changes, "version": _version, "wait": _wait}
