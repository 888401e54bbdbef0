# SPDX-License-Identifier: GPL-3.0-only
"""The invariants that a scenario can hold, by name: their parameters and the checks they rest on.

Only the names and shapes; how each is judged is in `harness.invariant`, joined by `harness.registry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an invariant: one text, or several when `many`; required without a `default`.

    `pattern` must match all of a text.
    """

    summary: str
    many: bool = False
    default: tuple[str, ...] | None = None
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class InvariantSpec:
    """An invariant's name and shape.

    `check` names a check that is read, with the same parameters, at each boot's end; `snap` is the
    catalogue's name of the snap that provides what is checked, where a scenario installs it. `twins` tells
    that it needs twins of the services, `whole_run` that one boot alone cannot be judged by it: it compares
    boots, or needs to know which core the steps imply.
    """

    name: str
    summary: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    check: str = ""
    snap: str = ""
    twins: bool = False
    whole_run: bool = False


INVARIANTS: Mapping[str, InvariantSpec] = {
    spec.name: spec
    for spec in (
        InvariantSpec(
            "policy-from-running-snapd",
            "every snap service of every boot runs under policy made by the snapd that runs",
            {
                "services": Parameter("security tags (snap.NAME.APP) to judge", many=True, default=()),
                "strict": Parameter(
                    "`ordering`: a start that nothing would have held back is VIOLATED too",
                    default=(),
                    pattern="ordering",
                ),
            },
        ),
        InvariantSpec(
            "services-after-policy",
            "every service starts after the snapd that runs is READY, or with its system-key in place",
            {"services": Parameter("security tags (snap.NAME.APP) to judge", many=True, default=())},
        ),
        InvariantSpec(
            "mounts-match-profile",
            "every service starts with the mounts that the mount profile of the snapd that runs lists",
            {"services": Parameter("security tags (snap.NAME.APP) to judge", many=True, default=())},
        ),
        InvariantSpec(
            "twin-agrees",
            "once a boot has settled, a second start of each service gets the policy that the service has",
            {"services": Parameter("security tags (snap.NAME.APP) to judge", many=True, default=())},
            twins=True,
        ),
        InvariantSpec(
            "revert-restores-policy",
            "after a revert of core and a reboot, each service's policy is what it was before the refresh",
            whole_run=True,
        ),
        InvariantSpec(
            "one-policy-on-disk",
            "at each boot's end, no policy of another snapd lies where the snapd that runs would use it",
        ),
        InvariantSpec(
            "filters-match-source",
            "at each boot's end, each service's filter on disk is what its source gives when compiled again",
            check="filters-match-source",
        ),
        InvariantSpec(
            "units-healthy",
            "at each boot's end, these units are active, and no snap unit has failed or restarted",
            {"units": Parameter("units to judge; all of the plan's services by default", True, ())},
        ),
        InvariantSpec(
            "snapd-is-who-it-should-be",
            "the snapd that runs is the one that the sequence of steps implies",
            whole_run=True,
        ),
        InvariantSpec(
            "console-clean",
            "the console shows no panic, oops, lock-up, killed process or file system error",
            {"allow": Parameter("names of kinds of trouble to accept", many=True, default=())},
        ),
        InvariantSpec(
            "network-managed",
            "NetworkManager manages an interface and has it connected",
            {"interface": Parameter("the interface, such as eth1", default=("eth1",))},
            check="network-managed",
            snap="network-manager",
        ),
        InvariantSpec(
            "bluetooth-managed",
            "bluetoothd answers on D-Bus and has brought up the kernel's Bluetooth management interface",
            check="bluetooth-managed",
            snap="bluez",
        ),
    )
}
