#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-only
# Makes a bootable, quiet and quick guest of the freshly installed packages. The root is $1; runs
# outside it, before the recipe's own files are laid over.
set -eu
root=$1
cd "$root"

# A fixed identity, so that a first boot has nothing to make up.
echo 5afe5afe5afe4afe8afe5afe5afe5afe >etc/machine-id
mkdir -p var/lib/dbus && ln -sf /etc/machine-id var/lib/dbus/machine-id
echo guest >etc/hostname
printf '127.0.0.1 localhost guest api.snapcraft.io\n::1 localhost\n' >etc/hosts
rm -f etc/resolv.conf
printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' >etc/resolv.conf
printf '/dev/vda / ext4 errors=remount-ro 0 1\n' >etc/fstab
echo LANG=C.UTF-8 >etc/default/locale
ln -sf /usr/share/zoneinfo/Etc/UTC etc/localtime

# Where the packages came from while it was built is nobody's business later.
rm -f etc/apt/sources.list

# Keys are per run: none is in the image.
rm -f etc/ssh/ssh_host_*

# apparmor.service loads all that is here at each boot: keep what confines snapd's own programs.
find etc/apparmor.d -mindepth 1 -maxdepth 1 -type f ! -name '*snapd*' -delete
rm -rf etc/apparmor.d/force-complain etc/apparmor.d/disable

# Nobody reads these in the guest.
rm -rf usr/share/doc usr/share/man usr/share/info usr/share/lintian usr/share/bash-completion \
	usr/share/zsh usr/share/common-licenses var/lib/apt/lists var/cache/apt var/cache/debconf/*-old \
	var/lib/dpkg/*-old usr/share/polkit-1 usr/lib/udev/hwdb.d etc/udev/hwdb.bin usr/lib/udev/hwdb.bin
find usr/share/locale -mindepth 1 -maxdepth 1 ! -name 'C*' -exec rm -rf {} +
rm -rf usr/lib/python3*/test usr/lib/python3*/idlelib usr/lib/python3*/ensurepip usr/lib/python3*/lib2to3
find usr/lib/python3* -name __pycache__ -prune -exec rm -rf {} +
find usr/share/zoneinfo -mindepth 1 -maxdepth 1 ! -name Etc -exec rm -rf {} +

# What the first boot would otherwise do: byte code, users, the linker's cache.
chroot "$root" sh -c 'command -v python3 >/dev/null && python3 -m compileall -q /usr/lib/python3* || true'
chroot "$root" systemd-sysusers
chroot "$root" ldconfig
rm -f etc/.pwd.lock var/log/*.log var/lib/systemd/random-seed
# Newer than everything in /usr, so that no ConditionNeedsUpdate= holds.
touch -d '@4102444800' etc/.updated var/.updated
