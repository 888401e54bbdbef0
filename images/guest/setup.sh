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

# Each reload of PID 1's units runs every generator, and snapd reloads several times for each snap. Emulated,
# that was half of a reload's time; all but these have nothing to generate here.
for generator in usr/lib/systemd/system-generators/*; do
	case ${generator##*/} in
	snapd-generator | systemd-fstab-generator) ;;
	*) rm "$generator" ;;
	esac
done

# snapd has udev look at every device again whenever it writes profiles. These are for devices that the
# machine does not have.
for rules in 60-autosuspend 60-cdrom_id 60-drm 60-evdev 60-fido-id 60-infiniband 60-input-id 60-persistent-alsa \
	60-persistent-input 60-persistent-storage-mtd 60-persistent-storage-tape 60-persistent-v4l 60-sensor \
	60-tpm-udev 64-btrfs 70-camera 70-joystick 70-memory 70-mouse 70-touchpad 75-probe_mtd 78-sound-card 90-iocost; do
	rm -f "usr/lib/udev/rules.d/$rules.rules"
done

# What the first boot would otherwise do: byte code, users, the linker's cache.
chroot "$root" sh -c 'command -v python3 >/dev/null && python3 -m compileall -q /usr/lib/python3* || true'
chroot "$root" systemd-sysusers
chroot "$root" ldconfig
rm -f etc/.pwd.lock var/log/*.log var/lib/systemd/random-seed
# Newer than everything in /usr, so that no ConditionNeedsUpdate= holds.
touch -d '@4102444800' etc/.updated var/.updated
