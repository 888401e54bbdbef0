# SPDX-License-Identifier: GPL-3.0-only
"""The policy that a state of a disk holds: what lies at certain paths after the journal was replayed.

Compared are paths, kinds and contents; not times, owners and modes, which no two runs have in common.
What mounting does besides is to end the truncation and removal of files that was under way (the orphans),
which changes nothing up to a file's size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.cut.blocks import Place, View
from harness.cut.ext4 import Damaged, Ext4, Inode, State
from harness.cut.journal import Journal
from harness.errors import Mistake
from harness.model.sweep import FileDiffers, How

_MOST_FILES = 100_000
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A file: its kind (`file`, `link`, `directory`, `other`), the SHA-256 of its content, its size."""

    kind: str
    content: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """All that was found, by path, or why it could not be read."""

    files: Mapping[str, Found]
    digest: str
    trouble: str = ""


class PolicyReader:
    """Reads the policy in any state of one disk.

    :raise Mistake: a path is not absolute.
    """

    def __init__(self, reader: Ext4, paths: Sequence[str]) -> None:
        for path in paths:
            if not path.startswith("/") or "\0" in path:
                raise Mistake(f"cannot read {path!r} in a sweep: it is no absolute path")
        self._reader = reader
        self._journal = Journal(reader)
        self._paths = tuple(paths)
        self._digests: dict[tuple[int, tuple[Place, ...]], str] = {}

    def read(self, view: View) -> Policy:
        """The policy in this state. A file system that a mount would refuse is a state like any other.

        :raise HostLacks: the file system uses what this reader does not know.
        """
        try:
            files = self._read(view)
        except Damaged as damaged:
            words = str(damaged)
            return Policy({}, hashlib.sha256(words.encode()).hexdigest(), words)
        lines = (f"{path}\0{found.kind}\0{found.content}\n" for path, found in sorted(files.items()))
        text = "".join(lines).encode("utf-8", "surrogateescape")
        return Policy(files, hashlib.sha256(text).hexdigest())

    def _read(self, view: View) -> dict[str, Found]:
        replayed = self._journal.replay(self._reader.state(view))

        def after(block: int) -> Place:
            found = replayed.get(block)
            return view(block) if found is None else found

        state = self._reader.state(after)
        files: dict[str, Found] = {}
        for path in self._paths:
            inode = state.find(path)
            if inode is not None:
                for name, found in self._walk(state, path.rstrip("/") or "/", inode, frozenset()):
                    files[name] = found
                    if len(files) > _MOST_FILES:
                        raise Damaged(f"{path} holds more than {_MOST_FILES} files")
        return files

    def _walk(
        self, state: State, path: str, inode: Inode, above: frozenset[Inode]
    ) -> Iterator[tuple[str, Found]]:
        try:
            yield path, self._found(state, inode)
            names = state.names(inode) if inode.is_directory else ()
        except Damaged as damaged:
            raise Damaged(f"{path}: {damaged}") from damaged
        if inode.is_directory and (inode in above or len(above) == _DEEPEST):
            raise Damaged(f"{path}: a directory that holds itself, or one too deep")
        for name, number in names:
            child = f"{path.rstrip('/')}/{name.decode('utf-8', 'surrogateescape')}"
            try:
                below = state.inode(number)
            except Damaged as damaged:
                raise Damaged(f"{child}: {damaged}") from damaged
            yield from self._walk(state, child, below, above | {inode})

    def _found(self, state: State, inode: Inode) -> Found:
        if inode.is_directory:
            return Found("directory")
        if inode.is_file:
            return Found("file", self._sha256(inode.size, state.places(inode)), inode.size)
        if inode.is_link:
            return Found("link", hashlib.sha256(state.target(inode)).hexdigest(), inode.size)
        return Found("other")

    def _sha256(self, size: int, places: tuple[Place, ...]) -> str:
        found = self._digests.get((size, places))
        if found is None:
            content = b"".join(self._reader.contents.of(place) for place in places)[:size]
            found = self._digests[size, places] = hashlib.sha256(content).hexdigest()
        return found


def differences(policy: Policy, whole: Policy) -> tuple[FileDiffers, ...]:
    """The files in which a policy differs from that of the last whole state, by path."""
    if policy.trouble:
        return ()
    return tuple(
        FileDiffers(path, _how(mine, theirs), _size(mine), _size(theirs), mine.content if mine else "")
        for path in sorted(policy.files.keys() | whole.files.keys())
        if (mine := policy.files.get(path)) != (theirs := whole.files.get(path))
    )


def _how(mine: Found | None, theirs: Found | None) -> How:
    if mine is None:
        return How.MISSING
    return How.EXTRA if theirs is None else How.CHANGED


def _size(found: Found | None) -> int | None:
    return None if found is None else found.size
