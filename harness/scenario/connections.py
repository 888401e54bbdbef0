# SPDX-License-Identifier: GPL-3.0-only
"""Connections that are made by themselves: as soon as both ends are installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.model.catalogue import Catalogue
from harness.model.plan import Action, ConnectPlug
from harness.scenario.sequence import Sequence
from harness.scenario.steps import split_connection


class Connections:
    """Those of the catalogue and of a start that are still to be made, in `sequence`."""

    def __init__(self, catalogue: Catalogue, sequence: Sequence) -> None:
        self._catalogue = catalogue
        self._sequence = sequence
        self._wanted: list[str] = []

    def want(self, connections: Iterable[str]) -> None:
        """Make these, as the language writes them."""
        self._wanted += connections

    def want_of(self, snap: str) -> None:
        """Make those that the catalogue gives a snap."""
        entry = self._catalogue.snaps.get(snap)
        self.want(entry.connect if entry else ())

    def possible(self) -> Iterator[tuple[str, Action]]:
        """Title and action of what can be done by now, which is not done again."""
        ready = [each for each in dict.fromkeys(self._wanted) if self._has_ends(each)]
        self._wanted = [each for each in self._wanted if each not in ready]
        for connection in ready:
            plug, slot = split_connection(connection)
            yield f"connect {connection}", ConnectPlug(plug, slot, self._units(plug.partition(":")[0]))

    def _has_ends(self, connection: str) -> bool:
        return all(self._sequence.has(end.partition(":")[0]) for end in connection.split())

    def _units(self, snap: str) -> tuple[str, ...]:
        entry = self._catalogue.snaps.get(snap)
        return tuple(f"snap.{snap}.{app}.service" for app in entry.services) if entry else ()
