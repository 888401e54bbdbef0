# SPDX-License-Identifier: GPL-3.0-only
"""Goes from state to state of a disk in the order asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.cut.blocks import Contents, Place, View, Written
from harness.cut.states import Epoch
from harness.cut.write_log import Entry
from harness.model.sweep import Cut

_BEFORE = Epoch(0, 0, 0)


def walk(
    contents: Contents, entries: Sequence[Entry], epochs: Sequence[Epoch], cuts: Iterable[Cut]
) -> Iterator[tuple[Cut, View]]:
    """Each cut with its state, which holds until the next one is asked for; cheapest in the log's order."""
    path = _Path(contents, entries)
    for cut in cuts:
        epoch = epochs[cut.flush - 1] if cut.flush else _BEFORE
        yield cut, path.whole(epoch) if cut.dropped is None else path.without(epoch, entries[cut.dropped])


class _Path:
    def __init__(self, contents: Contents, entries: Sequence[Entry]) -> None:
        self._contents = contents
        self._entries = entries
        self._epoch = _BEFORE
        self._before: dict[int, Place] = {}
        self._restart()

    def _restart(self) -> None:
        self._written = Written(self._contents)
        self._done = 0

    def _go_to(self, entry: int) -> None:
        if entry < self._done:
            self._restart()
        for each in self._entries[self._done : entry]:
            self._written.apply(each)
        self._done = entry

    def whole(self, epoch: Epoch) -> View:
        self._go_to(epoch.end)
        return self._written.place

    def without(self, epoch: Epoch, dropped: Entry) -> View:
        mine = self._entries[epoch.first : epoch.end]
        if epoch is not self._epoch:
            self._go_to(epoch.first)
            place = self._written.place
            self._before = {block: place(block) for entry in mine for block in self._written.touched(entry)}
            self._epoch = epoch
        self._go_to(epoch.end)
        changed, otherwise = self._written.without(dropped, self._before, mine), self._written.place
        return lambda block: changed[block] if block in changed else otherwise(block)
