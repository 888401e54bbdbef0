# SPDX-License-Identifier: GPL-3.0-only
"""The life of a snapd process, as one look saw it: what is on disk that this process answers for.

Two rules, both about the inode's change time, which no program can set back:

*Written.* A file whose ctime lies in the life of the running snapd was written by it. The start of the
life is the process's start (whole clock ticks, rounded down) on the guest's wall clock of that boot; the
ctime is at most a tick old. snapd writes policy seconds after it starts, so no tolerance is added.

*Vouched.* snapd 2.36.3 and later unlinks system-key before it regenerates and writes it only when all
backends succeeded; from 2.43 on its format is version 10. Backends rewrite a file only when its content
differs (osutil.EnsureDirState). So when the key on disk names the running build **and was itself written
in this life**, the files that were left alone until then are those that this build would have written. A
key of the right build that is older than the process says nothing: it may have been put back, and then it
kept snapd from regenerating at all.

Not vouched for:
- compiled seccomp files older than the source beside them: 2.39 and later recompiles only what changed
  in `.src`, so a compiled file can be left behind (a `.bin` beside 2.68.3's `.bin2`, or one whose
  compilation was cut off);
- kinds of files this build was never seen to write: 2.57.6 leaves `.bin2` alone, 2.68.3 leaves `.bin`;
- snap-confine's profiles, of which those of other core revisions stay on disk;
- files that were changed after the key was written: regeneration never saw them so.

What a user's own command writes over policy files while snapd runs cannot be told from snapd's writing by
looks, except that a compiled file beside a source made by another snap-seccomp is never taken for snapd's.
Where the writing itself was witnessed, the writer decides (policy/writers.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import accumulate

from harness.model.clock import SECOND, WallTime
from harness.model.observation import Look, PolicyFile, PolicyKind, SystemKey
from harness.model.timeline import SeenLook
from harness.policy.builds import Builds
from harness.policy.kind import COMPILED_SECCOMP, GLOBAL

_FIRST_KEY_AFTER_ALL_BACKENDS = 10
_LONGEST_LOOK = 60 * SECOND

_COMPARED_BY_CONTENT = (PolicyKind.SECCOMP_SOURCE, PolicyKind.APPARMOR_SOURCE, PolicyKind.MOUNT)


@dataclass(frozen=True, slots=True)
class Life:
    """A running snapd of `build` since `since`, and the look that saw it.

    `compilers` are the build ids of its snap-seccomp. `vouched` is when it wrote the system-key in this life,
    None when the key is not of this life.
    """

    seen: SeenLook
    build: str
    since: WallTime
    vouched: WallTime | None
    compilers: frozenset[str]
    sources: Mapping[str, PolicyFile]

    def wrote(self, file: PolicyFile) -> bool:
        """The file was last changed in this life, and nothing says that it is another's."""
        return file.changed >= self.since and not self._foreign(file)

    def left_alone(self, file: PolicyFile, written: Set[PolicyKind]) -> bool:
        """The file is what this build would have written; `written` are kinds that the build writes."""
        if self.vouched is None or file.changed > self.vouched or self._foreign(file):
            return False
        if file.kind in _COMPARED_BY_CONTENT:
            return file.name.startswith("snap.") or file.name.startswith("snap-update-ns.")
        if file.kind in COMPILED_SECCOMP and file.name != GLOBAL:
            return file.kind in written and self._compiled_since_its_source(file)
        return file.kind in written and file.kind != PolicyKind.APPARMOR_CACHE

    def _compiled_since_its_source(self, file: PolicyFile) -> bool:
        source = self.sources.get(file.name)
        return source is not None and source.changed <= file.changed

    def _foreign(self, file: PolicyFile) -> bool:
        if file.kind == PolicyKind.SECCOMP_SOURCE:
            return self._made_elsewhere(file)
        source = self.sources.get(file.name) if file.kind in COMPILED_SECCOMP else None
        return source is not None and source.changed <= file.changed and self._made_elsewhere(source)

    def _made_elsewhere(self, source: PolicyFile) -> bool:
        return bool(source.made_by) and source.made_by not in self.compilers


def lives(looks: Sequence[SeenLook], builds: Builds) -> tuple[Life, ...]:
    """The snapd processes that the looks saw, one per look; none for a look whose clock is in doubt.

    Where a boot began on the wall clock is taken as late as any look of the boot says: a clock that was
    set forward or back between looks then makes a life seem shorter, never longer.
    """
    began: dict[str, WallTime] = {}
    for seen in looks:
        began[seen.look.boot_id] = max(began.get(seen.look.boot_id, WallTime(0)), seen.look.boot_wall)
    latest = _latest_before(looks)
    found = (_life(seen, began[seen.look.boot_id], latest[seen.taken.boot], builds) for seen in looks)
    return tuple(life for life in found if life)


def _latest_before(looks: Iterable[SeenLook]) -> Mapping[int, int]:
    """For each boot, the latest wall time at which any look of an earlier boot was taken."""
    last: dict[int, int] = {}
    for seen in looks:
        last[seen.taken.boot] = max(last.get(seen.taken.boot, 0), seen.look.at + seen.look.boot_wall)
    before = [0, *accumulate((last[boot] for boot in sorted(last)), max)]
    return dict(zip(sorted(last), before, strict=False))


def _life(seen: SeenLook, began: WallTime, latest_before: int, builds: Builds) -> Life | None:
    look = seen.look
    if look.snapd is None or not look.snapd.build_id:
        return None
    since = WallTime(look.snapd.started + began)
    if latest_before > since or _from_the_future(look):
        return None
    return Life(
        seen=seen,
        build=look.snapd.build_id,
        since=since,
        vouched=_vouched(look.system_key, look.snapd.build_id, since),
        compilers=builds.compilers.get(look.snapd.build_id, frozenset()),
        sources={file.name: file for file in look.files if file.kind == PolicyKind.SECCOMP_SOURCE},
    )


def _vouched(key: SystemKey | None, build: str, since: WallTime) -> WallTime | None:
    if key is None or key.build_id != build or key.version < _FIRST_KEY_AFTER_ALL_BACKENDS:
        return None
    return key.changed if key.changed >= since else None


def _from_the_future(look: Look) -> bool:
    """A file that was changed after it was looked at shows a clock that was set back."""
    latest = look.at + look.boot_wall + _LONGEST_LOOK
    return any(file.changed > latest for file in look.files)
