#!/bin/sh
# Makes the RPM package: rpm.sh BUILD DIRECTORY. What is built in BUILD already is not built again; the
# package lies in DIRECTORY then. Where systemd's macros are missing (Debian), those of rpm/ stand in.
set -eu
cd "$(dirname "$0")/.."
build=$(realpath -m "$1")
mkdir -p "$2"
out=$(realpath "$2")
version=$(sed -n 's/^Version: *//p' packaging/rpm/modelwatch.spec)
place=$(mktemp -d "$out/tree.XXXXXX")
trap 'rm -rf "$place"' EXIT
trap 'exit 130' INT TERM

macros=
[ -n "$(rpm --eval '%{?_unitdir}')" ] || macros="--load=$PWD/packaging/rpm/systemd.macros --nodeps"
mkdir "$place/SOURCES"
tar -cz --exclude-vcs --exclude='./build*' --exclude='./.[!.]*' --exclude=__pycache__ --exclude=node_modules \
	--transform="s|^\.|modelwatch-$version|" -f "$place/SOURCES/modelwatch-$version.tar.gz" .
# shellcheck disable=SC2086
rpmbuild -bb --quiet $macros --define="_topdir $place" --define="build_in $build" packaging/rpm/modelwatch.spec
mv "$place"/RPMS/*/*.rpm "$out"
