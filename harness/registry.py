# SPDX-License-Identifier: GPL-3.0-only
"""Which function judges which invariant: a literal table, so that reading it is knowing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.invariant import (
    bluetooth_managed,
    console_clean,
    filters_match_source,
    mounts_match_profile,
    network_managed,
    one_policy_on_disk,
    policy_from_running_snapd,
    revert_restores_policy,
    services_after_policy,
    snapd_identity,
    twin_agrees,
    units_healthy,
)
from harness.model.timeline import Timeline
from harness.model.verdict import Finding

Judge = Callable[[Timeline, Mapping[str, tuple[str, ...]]], tuple[Finding, ...]]

JUDGES: Mapping[str, Judge] = {
    "policy-from-running-snapd": policy_from_running_snapd.judge,
    "twin-agrees": twin_agrees.judge,
    "services-after-policy": services_after_policy.judge,
    "mounts-match-profile": mounts_match_profile.judge,
    "revert-restores-policy": revert_restores_policy.judge,
    "one-policy-on-disk": one_policy_on_disk.judge,
    "filters-match-source": filters_match_source.judge,
    "units-healthy": units_healthy.judge,
    "snapd-is-who-it-should-be": snapd_identity.judge,
    "console-clean": console_clean.judge,
    "network-managed": network_managed.judge,
    "bluetooth-managed": bluetooth_managed.judge,
}
