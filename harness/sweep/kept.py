# SPDX-License-Identifier: GPL-3.0-only
"""How far a sweep is, kept in its directory, so that one that was ended goes on.

A small file says how much was looked at, and is written often; each different state has a file of its
own, which is written once and before the small one speaks of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.cut.states import Choice
from harness.errors import HostLacks, Mistake, RecordUnusable
from harness.host.whole_file import write_whole
from harness.model import codec
from harness.model.sweep import DistinctState
from harness.sweep.recording import Recording, identity

FILE = "sweep.json"
DISTINCT = "distinct"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """`looked` states, the first in the order of the cuts, were looked at; `asked` says in which sweep.

    `counts` says how many of them have which policy, by the policies' digests in the order of their finding.
    """

    format: int
    asked: str
    looked: int
    seconds: float
    counts: tuple[tuple[str, int], ...]


def asked(recording: Recording, paths: tuple[str, ...], choice: Choice) -> str:
    """What tells this sweep from another one."""
    words = json.dumps([identity(recording), paths, codec.encode(choice)])
    return hashlib.sha256(words.encode()).hexdigest()


class Keeper:
    """Keeps one sweep in one directory.

    :raise HostLacks: the directory cannot be written to.
    :raise Mistake: it holds another sweep.
    :raise RecordUnusable: its files are none of ours.
    """

    def __init__(self, directory: Path, wanted: str) -> None:
        self._directory = directory
        self._wanted = wanted
        try:
            (directory / DISTINCT).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HostLacks(f"cannot sweep in {directory}: {error.strerror}") from error
        kept = self._load()
        self.looked = kept.looked
        self.seconds = kept.seconds
        self.distinct = {digest: self._state(digest) for digest, _ in kept.counts}
        self.counts = dict(kept.counts)

    def found(self, state: DistinctState) -> None:
        """A policy that was not found before."""
        write_whole(self._place(state.digest), codec.dumps(state) + "\n")

    def save(self, looked: int, seconds: float, counts: Mapping[str, int]) -> None:
        """How far the sweep is now; what was kept before stays until this is whole."""
        kept = Kept(_FORMAT, self._wanted, looked, seconds, tuple(counts.items()))
        write_whole(self._directory / FILE, codec.dumps(kept) + "\n")

    def _load(self) -> Kept:
        path = self._directory / FILE
        if not path.exists():
            return Kept(_FORMAT, self._wanted, 0, 0.0, ())
        kept: Kept = _read(Kept, path)
        if kept.format != _FORMAT or kept.asked != self._wanted:
            raise Mistake(
                f"cannot sweep in {self._directory}: it holds a sweep of another run, or of other states",
                hint=f"give another directory, or delete {FILE} and {DISTINCT} in this one",
            )
        return kept

    def _state(self, digest: str) -> DistinctState:
        state: DistinctState = _read(DistinctState, self._place(digest))
        return state

    def _place(self, digest: str) -> Path:
        if not digest.isalnum():
            raise RecordUnusable(f"cannot go on with the sweep in {self._directory}: {digest!r} is no digest")
        return self._directory / DISTINCT / f"{digest}.json"


def _read(kind: type, path: Path) -> Any:
    try:
        return codec.loads(kind, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, codec.Undecodable) as error:
        raise RecordUnusable(
            f"cannot go on with the sweep in {path.parent}: {path.name}: {error}",
            hint=f"look at all states anew: delete {FILE} and {DISTINCT} in the sweep's directory",
        ) from error


def with_counts(distinct: Iterable[DistinctState], counts: Mapping[str, int]) -> tuple[DistinctState, ...]:
    """The states with how often each was found by now."""
    return tuple(replace(state, states=counts[state.digest]) for state in distinct)
