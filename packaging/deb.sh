#!/bin/sh
# Makes the Debian package: deb.sh BUILD DIRECTORY. What is built in BUILD already is not built again; the
# packages lie in DIRECTORY then.
set -eu
cd "$(dirname "$0")/.."
build=$(realpath -m "$1")
mkdir -p "$2"
out=$(realpath "$2")
place=$(mktemp -d "$out/tree.XXXXXX")
trap 'rm -rf "$place"' EXIT
trap 'exit 130' INT TERM

# dpkg-buildpackage wants debian/ at the top of the tree, and puts its results beside it.
mkdir "$place/modelwatch"
tar -c --exclude-vcs --exclude='./build*' --exclude='./.[!.]*' --exclude=__pycache__ --exclude=node_modules . |
	tar -x -C "$place/modelwatch"
cp -r packaging/debian "$place/modelwatch/debian"
cd "$place/modelwatch"
BUILD=$build dpkg-buildpackage --build=binary --no-sign --no-pre-clean --no-post-clean
mv "$place"/*.deb "$place"/*.buildinfo "$place"/*.changes "$out"
