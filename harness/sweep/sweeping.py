# SPDX-License-Identifier: GPL-3.0-only
"""A sweep: every state that was asked for is looked at, and of each different policy one is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from harness.cut.ext4 import Ext4
from harness.cut.policy_files import Policy, PolicyReader, differences
from harness.cut.states import Choice, Epoch, chosen_epochs, cuts, epochs
from harness.cut.walk import walk
from harness.host.deadline import Deadline, monotonic
from harness.host.progress import Tell
from harness.model.sweep import POLICY_PATHS, SYSTEM_KEY, Cut, DistinctState, SweepResult
from harness.sweep.kept import Keeper, asked, with_counts
from harness.sweep.recording import Opened, Recording, opened
from harness.sweep.second_reader import confirm
from harness.sweep.state_disk import state_disk

SAVE_EVERY = 2.0  # seconds; so much is done again when a sweep is killed
TELL_EVERY = 10.0  # seconds


def sweep(
    recording: Recording,
    directory: Path,
    tell: Tell,
    *,
    paths: Sequence[str] = POLICY_PATHS,
    choice: Choice = Choice(),  # noqa: B008 - frozen
    deadline: Deadline = Deadline.never(),  # noqa: B008 - frozen
    note: Callable[[SweepResult], object] = lambda _: None,
) -> SweepResult:
    """Look at the states that a cut of the recorded run could have left, until the deadline.

    What was looked at is kept in `directory`, and not looked at again by a later call. The result is of
    all calls together; it says when not all was looked at, and when the log has a gap. `note` is given
    the result so far each time that it is kept.

    :raise CannotMeasure: e2fsprogs read the last whole state otherwise than we do.
    :raise HostLacks: there is no space, a program is not there, or the file system has unknown features.
    :raise Mistake: a file or path is not there, the disk has not one ext4 file system, or the directory
        holds another sweep.
    :raise RecordUnusable: the log is none.
    """
    with opened(recording, directory) as it:
        keeper = Keeper(directory, asked(recording, tuple(paths), choice))
        return _Sweep(it, directory, tell, tuple(paths), choice, keeper, note).carry_out(deadline)


class _Sweep:
    def __init__(
        self,
        opened: Opened,
        directory: Path,
        tell: Tell,
        paths: tuple[str, ...],
        choice: Choice,
        keeper: Keeper,
        note: Callable[[SweepResult], object],
    ) -> None:
        self._opened = opened
        self._directory = directory
        self._tell = tell
        self._paths = paths
        self._epochs = epochs(opened.log.entries)
        self._chosen = chosen_epochs(self._epochs, choice)
        self._cuts = cuts(opened.log.entries, self._chosen, choice)
        self._reader = PolicyReader(Ext4(opened.contents), paths)
        self._keeper = keeper
        self._note = note
        self._looked = keeper.looked
        self._distinct = keeper.distinct
        self._counts = keeper.counts

    def carry_out(self, deadline: Deadline) -> SweepResult:
        whole = self._last_whole()
        began = monotonic()
        remember = _Every(SAVE_EVERY, lambda: self._save(whole, monotonic() - began))
        say = _Every(TELL_EVERY, lambda: self._say(monotonic() - began))
        if self._looked:
            self._tell(f"sweep: going on after {self._looked} of {len(self._cuts)} states")
        rest = self._cuts[self._looked :]
        for cut, view in walk(self._opened.contents, self._opened.log.entries, self._epochs, rest):
            if deadline.expired:
                break
            self._add(cut, self._reader.read(view), whole)
            remember.now_and_then()
            say.now_and_then()
        self._say(monotonic() - began)
        return self._save(whole, monotonic() - began)

    def _last_whole(self) -> Policy:
        """The state that all others are compared with; e2fsprogs read it too."""
        cut = Cut(self._chosen[-1].number)
        log = self._opened.log
        ((_, view),) = walk(self._opened.contents, log.entries, self._epochs, [cut])
        policy = self._reader.read(view)
        if not policy.trouble:
            with state_disk(self._opened, cut, self._directory / "whole.raw") as disk:
                confirm(policy, disk, self._opened.contents.part.start, self._paths)
        return policy

    def _add(self, cut: Cut, policy: Policy, whole: Policy) -> None:
        self._looked += 1
        digest = policy.digest
        if digest not in self._distinct:
            key = policy.files.get(SYSTEM_KEY)
            differs = differences(policy, whole)
            state = DistinctState(digest, cut, 1, differs, policy.trouble, key.content if key else "")
            self._distinct[digest] = state
            self._keeper.found(state)
        self._counts[digest] = self._counts.get(digest, 0) + 1

    def _save(self, whole: Policy, seconds: float) -> SweepResult:
        self._keeper.save(self._looked, self._keeper.seconds + seconds, self._counts)
        result = self._result(whole, seconds)
        self._note(result)
        return result

    def _say(self, seconds: float) -> None:
        looked = self._looked - self._keeper.looked
        self._tell(
            f"sweep: {self._looked} of {len(self._cuts)} states looked at, {len(self._distinct)} different"
            f" policies, {looked / max(seconds, 0.001):.0f} states a second"
        )

    def _result(self, whole: Policy, seconds: float) -> SweepResult:
        inside: list[Epoch] = list(self._chosen[1:])
        entries = self._opened.log.entries
        return SweepResult(
            states=len(self._cuts),
            looked=self._looked,
            flushes=len(inside),
            writes=sum(entry.writes for epoch in inside for entry in entries[epoch.first : epoch.end]),
            whole=whole.digest,
            distinct=with_counts(self._distinct.values(), self._counts),
            gap=self._opened.log.gap,
            seconds=round(self._keeper.seconds + seconds, 3),
        )


class _Every:
    """Does something when so many seconds have passed since it last did."""

    def __init__(self, seconds: float, act: Callable[[], object]) -> None:
        self._seconds = seconds
        self._act = act
        self._last = monotonic()

    def now_and_then(self) -> None:
        if monotonic() - self._last >= self._seconds:
            self._act()
            self._last = monotonic()
