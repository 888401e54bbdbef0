# SPDX-License-Identifier: GPL-3.0-only
"""The source `profiles`: AppArmor profiles loaded, replaced and removed, from the kernel's audit records.

The kernel multicasts every record to whoever listens (AUDIT_NLGRP_READLOG in include/uapi/linux/audit.h),
whether or not an audit daemon runs. Records of this type can only come from the kernel.
"""

from __future__ import annotations

import _socket as socket
import errno
import struct

from . import profiles
from .wire import JSON, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NETLINK_AUDIT = 9
NLGRP_READLOG = 1
SO_RCVBUFFORCE = 33
BUFFER = 4 << 20
LONGEST_RECORD = 1 << 16
MOST_AT_ONCE = 1000

AUDIT_GET = 1000
AUDIT_AVC = 1400
NLM_F_REQUEST = 1
OPERATIONS = ("profile_load", "profile_replace", "profile_remove")
SAME = "same as current profile, skipping"
WHY = "the kernel could not keep all audit records"

_HEAD = struct.Struct("<IHHII")
# struct audit_status: mask, enabled, failure, pid, rate_limit, backlog_limit, lost.
_STATUS = struct.Struct("<7I")


class ProfileWatch:
    """Reads records from a socket; `read_lost` says how many records the kernel has thrown away."""

    is_urgent = False

    def __init__(
        self,
        records: socket.socket,
        read_lost: Callable[[], int],
        now: Callable[[], int],
        read_profile: Callable[[str], JSON | None] = profiles.read_profile,
    ) -> None:
        self._records = records
        self._read_lost = read_lost
        self._now = now
        self._read_profile = read_profile
        self._since = self._read_at = now()
        self._lost = read_lost()
        self.descriptors = [records.fileno()]

    def since(self) -> Mapping[str, int]:
        """When it began to listen."""
        return {"profiles": self._since}

    def close(self) -> None:
        """Stop listening."""
        self._records.close()

    def read(self) -> list[JSON]:
        """What the kernel did with profiles since."""
        before, self._read_at = self._read_at, self._now()
        records, overran = self._receive()
        if not records and not overran:
            return []
        said = [change for record in records if (change := self._understand(record))]
        known, self._lost = self._lost, self._read_lost()
        if overran or known != self._lost:
            lost = {"type": "lost", "source": "profiles", "at": self._now(), "since": before, "why": WHY}
            said.append(lost)
        return said

    def _receive(self) -> tuple[list[bytes], bool]:
        records: list[bytes] = []
        overran = False
        while len(records) < MOST_AT_ONCE:
            try:
                records.append(self._records.recv(LONGEST_RECORD, socket.MSG_DONTWAIT))
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                overran = True
        return records, overran

    def _understand(self, record: bytes) -> JSON | None:
        fields = parse_record(record)
        if fields is None or "snap" not in fields["name"]:
            return None
        return {
            "type": "profile-changed",
            "at": self._now(),
            "change": fields["operation"],
            "name": fields["name"],
            "pid": int(fields["pid"]),
            "comm": fields["comm"],
            "unchanged": fields.get("info") == SAME,
            "profile": self._read_profile(fields["name"]),
        }


def open_profile_watch(now: Callable[[], int]) -> ProfileWatch:
    """A watch on this kernel's audit records. Raises OSError when it has none."""
    records = _netlink(NLGRP_READLOG)
    records.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    questions = _netlink(0)
    questions.settimeout(1.0)
    return ProfileWatch(records, lambda: read_lost(questions), now)


def read_lost(questions: socket.socket) -> int:
    """How many records the kernel has thrown away since its start."""
    questions.send(_HEAD.pack(_HEAD.size, AUDIT_GET, NLM_F_REQUEST, 1, 0))
    while True:
        answer = questions.recv(LONGEST_RECORD)
        if len(answer) >= _HEAD.size + _STATUS.size and _HEAD.unpack_from(answer)[1] == AUDIT_GET:
            return int(_STATUS.unpack_from(answer, _HEAD.size)[6])


def parse_record(record: bytes) -> dict[str, str] | None:
    """The fields of a record that tells of a profile, or None when it is another or damaged."""
    if len(record) < _HEAD.size or _HEAD.unpack_from(record)[1] != AUDIT_AVC:
        return None
    if b"profile_" not in record:
        return None  # most tell of what a profile forbids
    text = record[_HEAD.size :].rstrip(b"\0\n").decode("utf-8", "backslashreplace")
    found = {"pid": "", "comm": ""}
    for key, quoted, bare in _pairs(text):
        found[key] = unhexed(bare) if bare and key in ("name", "comm") else quoted or bare
    is_whole = "name" in found and found["pid"].isdecimal() and found["pid"].isascii()
    is_change = found.get("apparmor") == "STATUS" and found.get("operation") in OPERATIONS
    return found if is_whole and is_change else None


def _pairs(text: str) -> Iterator[tuple[str, str, str]]:
    """Each key with its value, as the second when it was quoted and as the third when not."""
    chunks = text.split('"')
    for place in range(0, len(chunks), 2):
        words = chunks[place].split()
        has_quoted = bool(words) and words[-1].endswith("=") and chunks[place].endswith("=")
        for number, word in enumerate(words, start=1):
            key, equals, bare = word.partition("=")
            if has_quoted and number == len(words) and place + 1 < len(chunks):
                yield key, chunks[place + 1], ""
            elif equals:
                yield key, "", bare


def unhexed(text: str) -> str:
    """What the kernel wrote in hex because it held a quote, a space or worse (audit_log_untrustedstring)."""
    try:
        return bytes.fromhex(text).decode("utf-8", "backslashreplace")
    except ValueError:
        return text


def _netlink(groups: int) -> socket.socket:
    found = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_AUDIT)
    try:
        found.bind((0, groups))
    except BaseException:
        found.close()
        raise
    return found
