# SPDX-License-Identifier: GPL-3.0-only
"""Changes of snaps: what they are called, and the action that carries them out."""

from __future__ import annotations

from harness.model.plan import Action, InstallSnap, RemoveSnap, RevertSnap
from harness.model.scenario import Install, Refresh, Remove, Revert
from harness.scenario.refs import DEFAULT, Refs
from harness.scenario.sequence import Sequence

Change = Install | Refresh | Revert | Remove


def title_of(change: Change, refs: Refs, sequence: Sequence) -> str:
    """What people are told, with the revision that a revert goes back to."""
    match change:
        case Install(_, snap):
            variant = refs.snap(snap).variant
            return f"install {snap}" if variant == DEFAULT else f"install {snap} ({variant})"
        case Refresh(_, snap, to):
            return f"refresh {snap} to {to}"
        case Revert(_, snap):
            to = sequence.before(snap)
            return f"revert {snap} to {to}" if to else f"revert {snap}"
        case Remove(_, snap):
            return f"remove {snap}"


def action_of(change: Change, refs: Refs) -> InstallSnap | RevertSnap | RemoveSnap:
    """The action of a change; a refresh is an installation over what is there."""
    match change:
        case Install(_, snap):
            return InstallSnap(refs.snap(snap))
        case Refresh(_, "core", to):
            return InstallSnap(refs.core(to), refresh=True)
        case Refresh(_, snap, to):
            return InstallSnap(refs.snap(snap, to), refresh=True)
        case Revert(_, snap):
            return RevertSnap(snap)
        case Remove(_, snap):
            return RemoveSnap(snap)


def changes_revision(action: Action) -> bool:
    """Whether another revision of a snap runs afterwards, without a snap having come or gone."""
    return isinstance(action, RevertSnap) or (isinstance(action, InstallSnap) and action.refresh)
