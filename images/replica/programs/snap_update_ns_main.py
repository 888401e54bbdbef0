# SPDX-License-Identifier: GPL-3.0-only
"""`snap-update-ns SNAP`, run by snap-confine in the snap's own mount namespace: mounts what is asked for."""

import namespace


def main(arguments):
    """Ends with the launcher's words when something cannot be mounted."""
    namespace.mount_profile(arguments[0], note=True, cannot_note="replica: cannot write what is mounted")
