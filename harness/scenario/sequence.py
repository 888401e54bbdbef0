# SPDX-License-Identifier: GPL-3.0-only
"""What is installed at each point of a scenario, followed without a machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.model.scenario import (
    Connect,
    Disconnect,
    During,
    Install,
    Reboot,
    Refresh,
    Remove,
    Revert,
    Step,
    WithFault,
)
from harness.model.spans import Span
from harness.scenario.source import Problems, did_you_mean

_SYSTEM = ("core", "snapd", "system", "")


@dataclass(slots=True)
class _Revisions:
    """A snap's revisions in snapd's order, and which of them is current."""

    names: list[str]
    current: int = 0

    def push(self, name: str) -> None:
        # snapd forgets what lay above the current revision when a refresh comes after a revert
        # (overlord/snapstate, doMountSnap's "Discard everything after current").
        del self.names[self.current + 1 :]
        self.names.append(name)
        self.current += 1


def all_of(step: Step) -> Iterator[Step]:
    """A step, and in a fault's block those of the block."""
    yield step
    if isinstance(step, WithFault):
        for inner in step.do:
            yield from all_of(inner)


def ends_boot(step: Step) -> bool:
    """Whether a boot ends in it."""
    return any(isinstance(each, Reboot) for each in all_of(step))


class Sequence:
    """Follows the steps; what snapd would refuse is noted as a mistake."""

    def __init__(self, core: str, problems: Problems) -> None:
        self._problems = problems
        self._snaps = {"core": _Revisions([core])}

    @property
    def core(self) -> str:
        """The catalogue's name of the core that is current."""
        core = self._snaps["core"]
        return core.names[core.current]

    def has(self, snap: str) -> bool:
        """True when the snap is installed at this point."""
        return snap in self._snaps or snap in _SYSTEM

    def before(self, snap: str) -> str:
        """What a revert of the snap would go back to; empty when nothing is known of it."""
        revisions = self._snaps.get(snap)
        return revisions.names[revisions.current - 1] if revisions and revisions.current else ""

    def apply(self, step: Step) -> None:
        """Take one step; the steps that happen during another are taken by the caller."""
        match step:
            case Install(span, snap):
                self._install(span, snap)
            case Refresh(span, snap, to):
                if self._installed(span, snap, "refresh"):
                    self._snaps[snap].push(to)
            case Revert(span, snap):
                self._revert(span, snap)
            case Remove(span, snap):
                self._remove(span, snap)
            case Connect(span, plug, slot) | Disconnect(span, plug, slot):
                self._ends_installed(span, plug, slot)
            case _:
                pass

    def check_during(self, step: During) -> None:
        """Note what cannot happen while the step's change is under way."""
        rebooted = False
        for inner in (each for done in step.do for each in all_of(done)):
            if rebooted:
                self._note(
                    inner.span,
                    "a reboot ends what is waited for, so no step can follow it in 'do'",
                    hint="put the step after 'during'",
                )
                break
            if isinstance(inner, During):
                self._note(inner.span, "'during' inside 'during'", expected="one change at a time")
            rebooted = isinstance(inner, Reboot)
            if isinstance(inner, Install | Refresh | Revert | Remove) and inner.snap == step.step.snap:
                message = f"{inner.snap!r} already has a change under way here, so snapd would refuse another"
                self._note(inner.span, message, hint="put the step after 'during'")

    def _note(self, span: Span, message: str, *, expected: str = "", hint: str = "") -> None:
        """Note a mistake, unless the same place already has one that explains it, such as an unknown name."""
        if all(problem.span != span for problem in self._problems.found):
            self._problems.add(span, message, expected=expected, hint=hint)

    def _install(self, span: Span, snap: str) -> None:
        if snap in self._snaps:
            hint = f"to change its revision, write 'refresh: {{{snap}: …}}'"
            self._note(span, f"{snap!r} is already installed here", hint=hint)
            return
        self._snaps[snap] = _Revisions([""])

    def _revert(self, span: Span, snap: str) -> None:
        if not self._installed(span, snap, "revert"):
            return
        revisions = self._snaps[snap]
        if revisions.current == 0:
            message = f"{snap!r} has no earlier revision to revert to here"
            self._note(span, message, hint=f"refresh {snap!r} first")
            return
        revisions.current -= 1

    def _remove(self, span: Span, snap: str) -> None:
        if snap == "core":
            self._note(span, "snapd does not remove 'core' while it runs from it")
        elif self._installed(span, snap, "remove"):
            del self._snaps[snap]

    def _installed(self, span: Span, snap: str, verb: str) -> bool:
        if snap in self._snaps:
            return True
        near = did_you_mean(snap, self._snaps)
        hint = f"did you mean {near}?" if near else f"write 'install: {snap}' before"
        self._note(span, f"cannot {verb} {snap!r}: it is not installed here", hint=hint)
        return False

    def _ends_installed(self, span: Span, *ends: str) -> None:
        for end in ends:
            snap = end.partition(":")[0]
            if not self.has(snap):
                self._installed(span, snap, "connect a plug or slot of")
