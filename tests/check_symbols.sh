#!/bin/sh
# What is loaded into other people's programs must need nothing but libc, and no libc symbol newer
# than GLIBC_2.34: the oldest system it may meet decides, not the one that built it.
set -eu
newest=2.34
failed=0

complain()
{
	echo "$1: $2" >&2
	failed=1
}

for object; do
	for library in $(objdump -p "$object" | awk '$1 == "NEEDED" {print $2}'); do
		case $library in
		libc.so.6 | ld-linux-*.so.*) ;;
		*) complain "$object" "needs $library" ;;
		esac
	done
	for version in $(objdump -T "$object" | grep -o 'GLIBC_[0-9.]*' | sort -u); do
		last=$(printf '%s\n' "$newest" "${version#GLIBC_}" | sort -V | tail -n 1)
		[ "$last" = "$newest" ] || complain "$object" "needs $version: $(
			objdump -T "$object" | awk -v v="$version" 'index($0, v) {printf "%s ", $NF}')"
	done
	objdump -p "$object" | grep -q 'RELRO' || complain "$object" "has no RELRO segment"
	readelf -d "$object" | grep -Eq 'BIND_NOW|Flags:.* NOW' || complain "$object" "is not bound at start"
done
exit $failed
