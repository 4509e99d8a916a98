#!/bin/sh
# Fetches the kernels that tests/test_daemon_kernels.py boots, into .kernels/: Debian's for virtual
# machines, unpacked and not installed. What this machine's sources do not have is left out.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p .kernels
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

package_of() # META
{
	apt-cache depends "$1" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p'
}

fetch() # PACKAGE
{
	echo "set-up: fetching $1" >&2
	(cd "$work" && apt-get download -qq "$1" 2>/dev/null) || return 0
	dpkg-deb --fsys-tarfile "$work/$1"_*.deb | tar -xC "$work" "./boot/vmlinuz-${1#linux-image-}"
	mv "$work"/boot/vmlinuz-* .kernels/
}

for meta in linux-image-cloud-amd64 linux-image-6.12-cloud-amd64; do
	package=$(package_of "$meta")
	[ -z "$package" ] || [ -e ".kernels/vmlinuz-${package#linux-image-}" ] || fetch "$package"
done
ls .kernels/vmlinuz-* >/dev/null 2>&1 && touch .kernels/fetched
