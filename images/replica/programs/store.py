# SPDX-License-Identifier: GPL-3.0-only
"""What snapd keeps: its state, and what each revision's meta/snap.yaml says, as JSON for the launchers."""

import json
import os

import era

STATE = f"{era.VAR}/state.json"
_META = era.VAR + "/replica/{}_{}.json"


def meta(snap, revision):
    """`apps`, `plugs`, `slots` (interface by name), `environment`, `layout`, `version`, `type`."""
    with open(_META.format(snap, revision), encoding="utf-8") as file:
        return json.load(file)


def keep_meta(snap, revision, text):
    """Read a snap.yaml and keep what it says."""
    import yaml  # dear to import, and only snapd reads these

    given = yaml.safe_load(text)
    kept = {
        "name": given["name"],
        "version": str(given["version"]),
        "type": given.get("type", "app"),
        "apps": given.get("apps") or {},
        "environment": given.get("environment") or {},
        "layout": given.get("layout") or {},
        "plugs": _sides(given, "plugs"),
        "slots": _sides(given, "slots"),
    }
    era.write(_META.format(snap, revision), json.dumps(kept))


def _sides(given, which):
    """Interface by name: of those at the top, and of those that only an app names."""
    found = {}
    for app in (given.get("apps") or {}).values():
        found.update({name: name for name in app.get(which) or ()})
    for name, side in (given.get(which) or {}).items():
        found[name] = side if isinstance(side, str) else (side or {}).get("interface", name)
    return found


def forget(snap, revision):
    """Remove what was kept of a revision."""
    for path in (_META.format(snap, revision), f"{era.VAR}/snaps/{snap}_{revision}.snap"):
        if os.path.exists(path):
            os.unlink(path)


class State:
    """Snaps (`current`, and all revisions in the order of their use), connected plugs, and changes."""

    def __init__(self):
        self.snaps = {}
        self.connections = []
        self.changes = {}
        self.revisions = {}
        if os.path.exists(STATE):
            with open(STATE, encoding="utf-8") as file:
                self.__dict__.update(json.load(file))

    def save(self):
        """Keep it."""
        era.write(STATE, json.dumps(self.__dict__), 0o600)

    def add_change(self, kind, summary, tasks):
        """A new change; its number, as text."""
        number = str(len(self.changes) + 1)
        self.changes[number] = {
            "id": number,
            "kind": kind,
            "summary": summary,
            "status": "Do",
            "ready": False,
            "err": "",
            "tasks": tasks,
        }
        self.save()
        return number

    def next_revision(self, snap):
        """`x1`, `x2`, …: of files that no store signed."""
        self.revisions[snap] = self.revisions.get(snap, 0) + 1
        return f"x{self.revisions[snap]}"

    def apps(self):
        """Every `(snap, revision)` that is current, without cores."""
        return [(name, one["current"]) for name, one in sorted(self.snaps.items()) if name != "core"]
