# SPDX-License-Identifier: GPL-3.0-only
"""A service without a process: what the look says of why there is none."""

from __future__ import annotations

from harness.invariant.ends import witness
from harness.model.observation import PolicyFile, ServiceSeen
from harness.model.timeline import SeenLook
from harness.model.verdict import Finding, Outcome
from harness.policy.authorship import Authorship
from harness.policy.builds import short
from harness.policy.kind import COMPILED_SECCOMP, base_name, programs

_LAUNCHER_GAVE_UP = 1  # snap-confine's die(): exit(1)
_WORDS_SHOWN = 3


def judge_dead(
    invariant: str, seen: SeenLook, service: ServiceSeen, known: Authorship, build: str
) -> Finding:
    """`missing` or `broken` when the launcher died for want of usable policy, else `dead`."""
    unit = service.unit
    result = unit.result or "none"
    state = f"{service.tag} has no process: {unit.active_state} ({unit.sub_state}), result {result}"
    outcome, kind, why = _cause(seen, service, known, build)
    summary = f"{state}; {why}" if why else state
    said = [one for one in seen.look.words if one.tag == service.tag][-_WORDS_SHOWN:]
    words = (witness(seen, f"{one.tag}: process {one.pid} said: {one.text}") for one in said)
    evidence = (witness(seen, summary), *words)
    return Finding(invariant, outcome, kind, service.tag, seen.taken.boot, summary, evidence=evidence)


def _cause(seen: SeenLook, service: ServiceSeen, known: Authorship, build: str) -> tuple[Outcome, str, str]:
    """A failed launcher is only blamed on policy when the look read everything and the build has some."""
    dead = (Outcome.UNPROVEN, "dead", "")
    unit = service.unit
    gave_up = unit.result == "exit-code" and unit.exit_status == _LAUNCHER_GAVE_UP
    if not gave_up or seen.look.problems or not known.whole.get((build, service.tag)):
        return dead
    files = [f for f in seen.look.files if f.kind in COMPILED_SECCOMP and f.name == service.tag]
    if not files:
        return Outcome.VIOLATED, "missing", "its launcher gave up and no seccomp policy is on disk"
    used = [file for file in files if known.expected(build, file.kind, file.name)]
    damaged = [file for file in used if _damaged(file, known)]
    if not damaged:
        return dead
    names = ", ".join(f"{base_name(file)} {short(file.sha256)}" for file in damaged)
    return Outcome.VIOLATED, "broken", f"its launcher gave up and {names} is no policy of any known build"


def _damaged(file: PolicyFile, known: Authorship) -> bool:
    return not any(known.of_digest(file.kind, file.name, digest) for digest in programs(file).values())
