# SPDX-License-Identifier: GPL-3.0-only
"""Who wrote a policy file, from the program that the writing process had executed last.

snap-seccomp and apparmor_parser belong to the snapd that is their parent. The parser that the boot-time
loader runs (snapd.apparmor.service, apparmor.service) is nobody's: it compiles what lies on disk.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.model.clock import GuestTime
from harness.model.observation import PolicyKind
from harness.model.occurrence import Executed, FileChanged
from harness.policy.builds import Builds
from harness.policy.daemons import Daemon, Daemons, is_snapd
from harness.policy.happened import Happened, Placed

_COMPILER = "snap-seccomp"
_PARSER = "apparmor_parser"


@dataclass(frozen=True, slots=True)
class Written:
    """A file written, and by whom.

    `daemon` is the snapd that wrote it by itself or by `program`, None when it was none; `tool` is the
    build id of the program. `program` is empty when nobody saw what the writer had executed.
    """

    boot: int
    line: int
    change: FileChanged
    program: str
    daemon: Daemon | None
    tool: str = ""


def written_in(happened: Happened, daemons: Daemons, builds: Builds) -> Iterator[Written]:
    """Every file written in a boot, with its writer."""
    for line, change in happened.written():
        image = happened.image(change.pid, change.at)
        if image is None:
            yield Written(happened.boot, line, change, "", None)
            continue
        program = image.of.exe.rpartition("/")[2]
        yield Written(
            happened.boot, line, change, program, _daemon(image, daemons, builds), image.of.build_id
        )


def _daemon(image: Placed[Executed], daemons: Daemons, builds: Builds) -> Daemon | None:
    one = image.of
    if is_snapd(one.exe):
        return daemons.with_pid(one.pid, one.at)
    if one.exe.rpartition("/")[2] not in (_COMPILER, _PARSER):
        return None
    if one.ppid:
        return daemons.with_pid(one.ppid, one.at)
    return _by_compiler(one, daemons, builds)


def _by_compiler(one: Executed, daemons: Daemons, builds: Builds) -> Daemon | None:
    """A tool whose parent had gone before it could be read: the running snapd's, if it is its own."""
    running = daemons.running(one.at)
    own = running and one.build_id and one.build_id in builds.compilers.get(running.build, ())
    return running if own else None


@dataclass(frozen=True, slots=True)
class Writers:
    """Everything written in a run. `hands` are the writers of each content of each path, by boot.

    `strangers` are the paths with those contents that were seen to be written there, and never by a snapd.
    """

    all: tuple[Written, ...]
    hands: Mapping[tuple[int, str, str], Sequence[Written]]
    strangers: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, happened: Mapping[int, Happened], daemons: Mapping[int, Daemons], builds: Builds) -> Writers:
        """Read them off the boots, in order."""
        found = [
            one for boot in sorted(happened) for one in written_in(happened[boot], daemons[boot], builds)
        ]
        hands: dict[tuple[int, str, str], list[Written]] = {}
        for one in found:
            hands.setdefault((one.boot, one.change.path, one.change.sha256), []).append(one)
        by_snapd = {(one.change.path, one.change.sha256) for one in found if one.daemon}
        strangers = {(one.change.path, one.change.sha256) for one in found} - by_snapd
        return cls(tuple(found), hands, frozenset(strangers))

    def not_by_snapd(self, boot: int, path: str, sha256: str, since: GuestTime) -> bool:
        """That content was seen to be written there since then in that boot, and never by a snapd."""
        hands = [one for one in self.hands.get((boot, path, sha256), ()) if one.change.at >= since]
        return bool(hands) and all(one.daemon is None for one in hands)

    def directories(self, build: str, kinds: Collection[PolicyKind]) -> frozenset[str]:
        """Where the snapd of that build was seen to write files of these kinds."""
        return frozenset(
            posixpath.dirname(one.change.path)
            for one in self.all
            if one.daemon and one.daemon.build == build and one.change.kind in kinds
        )


NOBODY = Writers((), {}, frozenset())
"""Of a run in which nothing was seen to be written."""
