# SPDX-License-Identifier: GPL-3.0-only
"""A release as a table of the properties of its time.

The programs that re-create a release (images/replica) read this table and ask it, never the release's
name: what two releases do differently is a field here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum


class Form(StrEnum):
    """What snapd leaves on disk for the launcher."""

    TEXT = "text"  # rules, which the launcher reads and compiles by libseccomp at each start
    BPF = "bpf"  # rules for people, and the program that snap-seccomp made of them


class Unknown(StrEnum):
    """What a reader does with a rule that it does not understand."""

    DIE = "die"
    SKIP = "skip"  # leave the rule out, and go on


class Wait(StrEnum):
    """What `snap run` waits for before it launches."""

    NOTHING = "nothing"
    SYSTEM_KEY = "system-key"  # on a mismatch, until snapd answers (2.32)
    GREEN_LIGHT = "green-light"  # until any snapd answers, whatever the policy


class Choice(StrEnum):
    """How a launcher finds its directory of profiles below the one for all."""

    NONE = ""  # there is one directory
    DIGEST = "digest"  # one for each content, found by a pointer that lasts over reboots
    DIGEST_OF_BOOT = (
        "digest-of-boot"  # found by /run/snapd.profile-digest, which snapd writes when it has started
    )
    CORE = "core"  # one for each core, named by the revision that the launcher itself is of
    CORE_LINK = "core-link"  # the same, found by a link that snapd sets


@dataclass(frozen=True, slots=True, kw_only=True)
class Seccomp:
    """Seccomp profiles: where they lie, what is in them, and how the launcher takes them.

    `directory` is below /var/lib/snapd. `operators` and `constants` (name to number) are what a reader
    of this release understands, `template` the rules of every profile, `rules` those of a connection
    or slot by ``plug NAME`` and ``slot NAME``. `wait` is how many seconds the launcher waits for a profile
    that is not there; `longest_wait` bounds SNAP_CONFINE_MAX_PROFILE_WAIT (0: any number counts, but the
    variable is not read where `wait` is 0). `syntax` is the number that profiles begin with and the highest
    that the reader takes; 0 is no number.
    """

    directory: str
    form: Form
    operators: tuple[str, ...]
    constants: Mapping[str, int]
    template: tuple[str, ...]
    rules: Mapping[str, tuple[str, ...]]
    wait: int = 0
    longest_wait: int = 0
    unknown: Unknown = Unknown.DIE
    syntax: int = 0
    choice: Choice = Choice.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class AppArmor:
    """AppArmor profiles: the `rules` of every profile, and whether snap-update-ns has one for each snap.

    `launcher` are the rules of the launcher's own profile, which comes with the core, and `launcher_child`
    those of the part of it in which it executes snap-update-ns; empty is no such part.
    """

    rules: tuple[str, ...]
    launcher: tuple[str, ...]
    launcher_child: tuple[str, ...] = ()
    confines_update_ns: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Text of the units that snapd writes, as far as releases or designs differ in it."""

    mounts_before_snapd: bool = False
    after_snapd: bool = False
    wants_snapd: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """The daemon: what it makes anew when it starts, and when it says that it is READY.

    `key_version` is the format of the system-key, 0 when there is none. With one, policy is made anew
    only when the key does not match. `forgets_compiled` says that what the launcher's own profile was
    compiled to is taken away when a core is set up.
    """

    notifies: bool
    regenerates: tuple[str, ...]
    key_version: int = 0
    forgets_compiled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """`snap run`: whose launcher it executes, and what it waits for, at most `rounds` times `seconds`."""

    launcher_of_core: bool
    waits: Wait = Wait.NOTHING
    rounds: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounts:
    """Who mounts what a snap's mount profile lists, and whether it notes what it did in /run/snapd/ns."""

    by_update_ns: bool = False
    noted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Everything that tells a release from the others; `design` names what was changed of it."""

    name: str
    seccomp: Seccomp
    apparmor: AppArmor
    units: Units
    daemon: Daemon
    run: Run
    mounts: Mounts
    design: str = ""

    @property
    def full_name(self) -> str:
        """What it calls itself: never without `replica`."""
        return "-".join(filter(None, ("replica", self.name, self.design)))

    def as_data(self) -> dict[str, object]:
        """What the programs read: maps, lists, texts and numbers."""
        return {**asdict(self), "full_name": self.full_name}
