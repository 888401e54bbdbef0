# SPDX-License-Identifier: GPL-3.0-only
"""`snap-exec NAME.APP [--command=WHICH] ARGUMENTS…`: the last step, under the snap's policy."""

import os
import shlex

import store
import words


def main(arguments):
    """Does not return when all goes well."""
    name, rest = arguments[0], arguments[1:]
    which = rest.pop(0)[len("--command=") :] if rest and rest[0].startswith("--command=") else "command"
    snap, _, app = name.partition(".")
    meta = store.meta(snap, os.environ["SNAP_REVISION"])
    found = meta["apps"][app or snap]
    for key, value in {**meta["environment"], **found.get("environment", {})}.items():
        os.environ[key] = os.path.expandvars(str(value))
    if which == "shell":
        command = ["/bin/bash"]
    else:
        told = found.get("command" if which == "command" else f"{which}-command", "")
        command = [os.path.expandvars(word) for word in shlex.split(told)] or words.die(
            f"replica: no {which}"
        )
        command[0] = os.path.join(os.environ["SNAP"], command[0])
    os.execv(command[0], [*command, *rest])
