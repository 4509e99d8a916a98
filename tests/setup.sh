#!/bin/sh
# Installs what the build and the tests need and this machine lacks. Nothing is missing the second
# time, so running it again does no work and needs no network.
#
#   tests/setup.sh [build|test|lint|bench]     (default: test)
#
# build: compilers and libraries. test: also fuzzers and the Python packages of
# tests/requirements.txt, in .venv. lint, bench: also what those targets run.
# PYTHON=/path/to/python: use this interpreter and its packages; no .venv is made or changed.
set -eu
cd "$(dirname "$0")/.."
purpose=${1:-test}
missing=

say()
{
	echo "set-up: $*" >&2
}

die()
{
	say "$*"
	exit 1
}

need() # PACKAGE COMMAND... : the package is missing when the command fails
{
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}

have()
{
	command -v "$1"
}

have_library() # any of the names
{
	for name; do
		pkg-config --exists "$name" 2>/dev/null && return 0
	done
	return 1
}

# Of those that lie where only root's PATH leads.
have_admin()
{
	have "$1" || [ -x "/usr/sbin/$1" ]
}

have_header()
{
	echo "#include <$1>" | cc -E -o /dev/null -
}

have_python_header()
{
	header=$("${PYTHON:-python3}" -c 'import sysconfig; print(sysconfig.get_path("include"))') &&
		[ -f "$header/Python.h" ] || ls /usr/include/python3*/Python.h
}

# It lies where only root's PATH leads, and its parts in packages of their own.
have_rsyslog()
{
	have rsyslogd || [ -x /usr/sbin/rsyslogd ]
}

have_rsyslog_part()
{
	ls /usr/lib/*/rsyslog/"$1" /usr/lib64/rsyslog/"$1" 2>/dev/null | grep -q .
}

have_fuzzer()
{
	echo 'int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }' |
		clang -x c - -fsanitize=fuzzer,address -o /dev/null
}

# For the page of `modelwatch report`.
have_browser()
{
	have chromium || have chromium-browser || have google-chrome
}

# Ubuntu's is a snap, which has to be installed by hand; without one, the tests of the page skip.
can_have_browser()
{
	! grep -qs '^ID=ubuntu' /etc/os-release
}

# Debian split the C library off the C++ one; which of the two names exists tells the release.
msgpack_package()
{
	if apt-cache show libmsgpack-c-dev >/dev/null 2>&1; then
		echo libmsgpack-c-dev
	else
		echo libmsgpack-dev
	fi
}

# clang only recommends the runtime of its sanitizers, and the name carries the version.
fuzzer_package()
{
	major=$(clang -dumpversion 2>/dev/null | cut -d. -f1)
	echo "libclang-rt-${major:-14}-dev"
}

base_python() # the interpreter .venv is made with: the one the pins were tested on, if it is here
{
	for python in python3.11 python3; do
		"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
		command -v "$python"
		return
	done
	die "the test packages need Python 3.11 or newer; name one with PYTHON="
}

look()
{
	missing=
	need build-essential have cc
	need build-essential have make
	need pkg-config have pkg-config
	need libunwind-dev have_library libunwind-generic
	need msgpack have_library msgpack-c msgpack
	need libyaml-dev have_library yaml-0.1
	need libjansson-dev have_library jansson
	need libssl-dev have_library libcrypto
	need zlib1g-dev have_library zlib
	need libelf-dev have_library libelf
	need libbpf-dev have_library libbpf
	need libnghttp2-dev have_library libnghttp2
	need libprotobuf-c-dev have_library libprotobuf-c
	need protobuf-c-compiler have protoc-c
	need bpftool have_admin bpftool
	need clang have clang
	need liblzma-dev have_library liblzma
	need libseccomp-dev have_library libseccomp
	need libbz2-dev have_header bzlib.h
	need libsqlite3-dev have_library sqlite3
	need libcurl4-openssl-dev have_library libcurl
	need libsystemd-dev have_library libsystemd
	need librdkafka-dev have_library rdkafka
	need python3-dev have_python_header
	[ "$purpose" = build ] && return
	need libcmocka-dev have_library cmocka
	[ -n "${PYTHON:-}" ] || need python3-venv python3 -c 'import ensurepip'
	if have clang >/dev/null; then
		need clang-rt have_fuzzer
	fi
	case $purpose in
	test)
		need zsh have zsh
		need fish have fish
		need gdb have gdb
		need strace have strace
		need bubblewrap have bwrap
		need containerd have containerd
		need runc have_admin runc
		need curl have curl
		need systemd [ -x /lib/systemd/systemd ]
		need slurmctld have_admin slurmctld
		need slurmd have_admin slurmd
		need prometheus have promtool
		need nodejs have node
		need npm have npm
		need kcat have kcat
		need openssl have openssl
		need systemd have journalctl
		need rsyslog have_rsyslog
		need rsyslog-openssl have_rsyslog_part lmnsd_ossl.so
		need rsyslog-relp have_rsyslog_part imrelp.so
		need faketime have faketime
		need debhelper have dh
		need libslurm-dev have_header slurm/spank.h
		need rpm have rpmbuild
		need rpmlint have rpmlint
		need lintian have lintian
		need qemu-system-x86 have qemu-system-x86_64
		! can_have_browser || need chromium have_browser
		;;
	lint)
		need libslurm-dev have_header slurm/spank.h
		need clang-tidy have clang-tidy
		need clang-format have clang-format
		need cppcheck have cppcheck
		need mandoc have mandoc
		;;
	bench)
		need strace have strace
		need redis-server have redis-server
		;;
	esac
}

install_packages()
{
	have apt-get >/dev/null ||
		die "missing:$missing (Debian's names); this machine has no apt-get, install them by hand"
	if [ "$(id -u)" = 0 ]; then
		apt-get update -q >&2
	fi
	names=
	for package in $(printf '%s\n' $missing | sort -u); do
		case $package in
		msgpack) package=$(msgpack_package) ;;
		clang-rt) package=$(fuzzer_package) ;;
		esac
		names="$names $package"
	done
	if [ "$(id -u)" != 0 ]; then
		say "these packages are missing; run this, then the same make command again:"
		echo "    sudo apt-get update && sudo apt-get install -y$names" >&2
		exit 1
	fi
	say "installing$names"
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get install -qy $names >&2
}

set_up_packages()
{
	look
	[ -z "$missing" ] && return
	install_packages
	look # clang may have come without its runtime
	[ -z "$missing" ] && return
	install_packages
	look
	[ -z "$missing" ] || die "still missing after the installation:$missing"
}

has_test_packages='
import importlib.util, sys
names = "torch numpy pandas scipy sklearn joblib dill cloudpickle greenlet pytest xdist jsonschema sigma yaml kubernetes_validate".split()
sys.exit(" ".join(n for n in names if not importlib.util.find_spec(n)) or 0)'

set_up_python()
{
	if [ -n "${PYTHON:-}" ]; then
		"$PYTHON" -c "$has_test_packages" ||
			die "$PYTHON lacks these; the pinned list is tests/requirements.txt"
		return
	fi
	if cmp -s tests/requirements.txt .venv/installed.txt && .venv/bin/python -c ''; then
		return
	fi
	python=$(base_python)
	say "making .venv with $python"
	"$python" -m venv --clear .venv
	.venv/bin/python -m pip install -q -r tests/requirements.txt >&2
	cp tests/requirements.txt .venv/installed.txt
}

# Other kernels, which the daemon is tested on in emulated machines. Without them that test skips.
set_up_kernels()
{
	[ -e .kernels/fetched ] || ! have apt-get >/dev/null || tests/kernels/fetch.sh ||
		say "no kernels for the tests of the daemon"
}

# A receiver of the Forward protocol. Without it those tests skip.
set_up_node()
{
	node_modules=tests/sinks_net/node_modules
	if cmp -s tests/sinks_net/package-lock.json $node_modules/installed.json || ! have npm >/dev/null; then
		return
	fi
	say "installing what tests/sinks_net/package.json names"
	if npm ci --prefix tests/sinks_net --silent --no-audit --no-fund --ignore-scripts >&2; then
		cp tests/sinks_net/package-lock.json $node_modules/installed.json
	else
		say "no receiver for the tests of Forward"
	fi
}

case $purpose in
build | test | lint | bench) ;;
*) die "usage: tests/setup.sh [build|test|lint|bench]" ;;
esac
set_up_packages
[ "$purpose" = build ] || [ "$purpose" = lint ] || set_up_python
[ "$purpose" != test ] || set_up_kernels
[ "$purpose" != test ] || set_up_node
