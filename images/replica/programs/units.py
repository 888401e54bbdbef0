# SPDX-License-Identifier: GPL-3.0-only
"""The units that snapd writes, and what it asks of systemd."""

import os
import subprocess

import era
import store

UNITS = "/etc/systemd/system"
_OF_DAEMON = f"{UNITS}/snapd.service.d/release.conf"


def systemctl(*arguments, check=True):
    """Ask systemd; raises CalledProcessError."""
    subprocess.run(["systemctl", *arguments], check=check)


def _enable(*units):
    """With a root, as snapd did (systemd/systemd.go): only links are made, and PID 1 reads nothing anew."""
    systemctl("--root=/", "enable", "--quiet", *units)


def _disable(*units):
    systemctl("--root=/", "disable", "--quiet", *units, check=False)


def escaped(path):
    """A path as the name of a unit (systemd-escape(1))."""
    return path.strip("/").replace("-", "\\x2d").replace("/", "-")


def mount_unit(snap, revision):
    """The name of the unit that mounts a revision."""
    return f"{escaped(f'{era.SNAPS}/{snap}/{revision}')}.mount"


def service_unit(snap, app):
    """The name of an app's unit."""
    return f"snap.{snap}.{app}.service"


def daemons(meta):
    """The apps that are services."""
    return [name for name, app in meta["apps"].items() if app.get("daemon")]


def mount_text(table, snap, revision):
    """The text of a mount unit."""
    before = "Before=snapd.service\n" if table.units.mounts_before_snapd else ""
    return (
        f"[Unit]\nDescription=Mount unit for {snap} (by {table.full_name})\n{before}\n"
        f"[Mount]\nWhat={era.VAR}/snaps/{snap}_{revision}.snap\nWhere={era.SNAPS}/{snap}/{revision}\n"
        "Type=squashfs\nOptions=nodev,ro\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )


def service_text(table, snap, revision, name, app):
    """The text of a service unit."""
    mount = mount_unit(snap, revision)
    snapd = " snapd.service"
    return (
        f"[Unit]\nDescription=Service {name} of the snap {snap} (by {table.full_name})\n"
        f"Requires={mount}\n"
        f"Wants=network-online.target{snapd if table.units.wants_snapd else ''}\n"
        f"After={mount} network-online.target{snapd if table.units.after_snapd else ''}\n"
        "X-Snappy=yes\n\n"
        f"[Service]\nExecStart=/usr/bin/snap run {snap}.{name}\n"
        f"Restart={app.get('restart-condition', 'on-failure')}\n"
        f"WorkingDirectory=/var/snap/{snap}/{revision}\nTimeoutStopSec=30\nType={app['daemon']}\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )


def mount(table, snap, revision):
    """Mount a revision, now and at every boot."""
    unit = mount_unit(snap, revision)
    era.write(f"{UNITS}/{unit}", mount_text(table, snap, revision))
    _enable(unit)
    systemctl("daemon-reload")
    systemctl("start", unit)


def unmount(snap, revision):
    """Never mount it again."""
    unit = mount_unit(snap, revision)
    systemctl("stop", unit, check=False)
    _disable(unit)
    _remove(unit)


def link_services(table, snap, revision):
    """Write the units of the snap's services."""
    meta = store.meta(snap, revision)
    for name in daemons(meta):
        text = service_text(table, snap, revision, name, meta["apps"][name])
        era.write(f"{UNITS}/{service_unit(snap, name)}", text)
    if daemons(meta):
        systemctl("daemon-reload")


def start_services(snap, revision):
    """Start them, now and at every boot."""
    found = [service_unit(snap, name) for name in daemons(store.meta(snap, revision))]
    if found:
        _enable(*found)
        systemctl("start", *found)


def stop_services(snap, revision):
    """Stop them."""
    found = [service_unit(snap, name) for name in daemons(store.meta(snap, revision))]
    if found:
        systemctl("stop", *found, check=False)


def remove_services(snap, revision):
    """Take their units away."""
    found = [service_unit(snap, name) for name in daemons(store.meta(snap, revision))]
    if found:
        _disable(*found)
    for unit in found:
        _remove(unit)


def link_daemon(table):
    """Let snapd.service be as that release's is: on Ubuntu Core the unit comes with the core."""
    text = f"[Service]\nType={'notify' if table.daemon.notifies else 'simple'}\n"
    if not os.path.exists(_OF_DAEMON) or era.text_of(_OF_DAEMON) != text:
        era.write(_OF_DAEMON, text)
        systemctl("daemon-reload")


def _remove(unit):
    path = f"{UNITS}/{unit}"
    if os.path.exists(path):
        os.unlink(path)
    systemctl("daemon-reload")
