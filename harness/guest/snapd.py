# SPDX-License-Identifier: GPL-3.0-only
"""Changes of snaps in the guest, by the `snap` command that people use.

Each is begun with `--no-wait` and then waited for in snapd's API: a change of `core` restarts snapd in the
middle, and a client that waits by itself gives up seconds after the daemon has gone. The waiting is one
command in the guest (harness.probe.waiting), so that nothing is asked over ssh again and again.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import NewType

from harness.errors import CannotMeasure
from harness.guest.seed import HOME
from harness.guest.shell import Shell, ShellResult, printable
from harness.host.deadline import Deadline

ChangeId = NewType("ChangeId", str)

_ASK = f"python3 -I -B {HOME}/witness"
# A guest's first boot refuses changes until snapd has seeded itself; asked once a boot, as it takes a second.
_SEEDED = f"{HOME}/seeded"
_AWAIT_SEED = f"[ -e {_SEEDED} ] || {{ snap wait system seed.loaded && touch {_SEEDED}; }} && "


@dataclass(frozen=True, slots=True)
class InstalledSnap:
    """A row of `snap list --all`."""

    name: str
    version: str
    revision: str
    current: bool


class ChangeFailed(CannotMeasure):
    """snapd could not carry a change out; says so in snapd's own words."""


class Snapd:
    """The snaps of one boot. Methods raise CannotMeasure in snapd's own words, TimedOut and GuestFailed.

    A verb only begins a change, which `await_change` waits for.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def install(self, file: str, deadline: Deadline) -> ChangeId:
        """Install a snap file, over the installed revision if there is one."""
        return self._begin(f"install --dangerous --no-wait {shlex.quote(file)}", deadline)

    def revert(self, snap: str, deadline: Deadline) -> ChangeId:
        """Back to the revision that was current before."""
        return self._begin(f"revert --no-wait {shlex.quote(snap)}", deadline)

    def remove(self, snap: str, deadline: Deadline) -> ChangeId:
        """Remove a snap with all its revisions."""
        return self._begin(f"remove --no-wait {shlex.quote(snap)}", deadline)

    def connect(self, plug: str, slot: str, deadline: Deadline) -> ChangeId:
        """Connect a plug to a slot, or to the system's of the same name when `slot` is empty."""
        return self._join("connect", plug, slot, deadline)

    def disconnect(self, plug: str, slot: str, deadline: Deadline) -> ChangeId:
        """Disconnect a plug from a slot, or from all when `slot` is empty."""
        return self._join("disconnect", plug, slot, deadline)

    def await_change(self, change: str, deadline: Deadline) -> str:
        """Wait until a change is done, through restarts of snapd; `change 7: Install "x" snap`."""
        seconds = min(deadline.remaining, 86400.0)
        result = self._shell.run(f"{_ASK} change {shlex.quote(change)} {seconds:.1f}", deadline, check=False)
        seen = _json(result)
        said = f"change {change}: {printable(str(seen.get('summary', '')))}"
        if seen.get("status") != "Done":
            why = str(seen.get("err") or seen.get("status") or "it cannot be read")
            raise ChangeFailed(f"cannot finish {said}: {printable(why).strip()}")
        return said

    def changes(self, deadline: Deadline) -> tuple[str, ...]:
        """The changes under way, as snapd describes them."""
        found = _json(self._shell.run(f"{_ASK} changes", deadline)).get("changes")
        return tuple(printable(str(each)) for each in found) if isinstance(found, list) else ()

    def installed(self, deadline: Deadline) -> tuple[InstalledSnap, ...]:
        """Every revision of every snap."""
        result = self._shell.run("snap list --all --color=never --unicode=never", deadline, check=False)
        if result.status != 0 and not result.stdout:
            return ()
        return tuple(_installed(line, result) for line in result.stdout.splitlines()[1:])

    def _join(self, verb: str, plug: str, slot: str, deadline: Deadline) -> ChangeId:
        sides = shlex.join(filter(None, (plug, slot)))
        return self._begin(f"{verb} --no-wait {sides}", deadline)

    def _begin(self, arguments: str, deadline: Deadline) -> ChangeId:
        result = self._shell.run(f"{_AWAIT_SEED}snap {arguments}", deadline, check=False)
        words = result.stdout.split()
        if result.status != 0 or len(words) != 1 or not words[0].isalnum():
            raise _unexpected(result, f"snap {arguments}")
        return ChangeId(words[0])


def _installed(line: str, result: ShellResult) -> InstalledSnap:
    # Name Version Rev Tracking Publisher Notes
    fields = line.split()
    if len(fields) < 4:
        raise _unexpected(result, result.command)
    return InstalledSnap(fields[0], fields[1], fields[2], "disabled" not in fields[-1])


def _json(result: ShellResult) -> dict[str, object]:
    try:
        answer = json.loads(result.stdout)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise _unexpected(result, result.command)
    return answer


def _unexpected(result: ShellResult, command: str) -> CannotMeasure:
    words = result.shown or "it said nothing"
    return CannotMeasure(f"cannot use the answer of `{command}` (status {result.status}): {words}")
