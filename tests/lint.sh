#!/bin/sh
# Runs every check of `make lint` over the files named and fails if any of them complains. CFLAGS
# holds what the compiler needs to read them.
set -u
failed=0
sources=
headers=
pages=
for file; do
	case $file in
	*.bpf.c) headers="$headers $file" ;; # for another machine: the compiler and the verifier check it
	*.c) sources="$sources $file" ;;
	*.h) headers="$headers $file" ;;
	*.[1-9]) pages="$pages $file" ;;
	esac
done

# CFLAGS carries quoted strings.
tidy()
{
	eval "clang-tidy --quiet $sources -- $CFLAGS" 2>/dev/null
}

echo '== format'
clang-format --dry-run -Werror $sources $headers || failed=1
echo '== clang-tidy'
tidy || failed=1
echo '== cppcheck'
cppcheck --quiet --std=c11 --language=c --enable=warning,portability --inline-suppr \
	--suppress=missingIncludeSystem --suppress=allocaCalled --suppress=comparePointers \
	--error-exitcode=1 -j "$(nproc)" -D_GNU_SOURCE -D__x86_64__ -DMW_VERSION='""' \
	-D'LIBBPF_OPTS(TYPE,NAME,...)=struct TYPE NAME={__VA_ARGS__}' $sources || failed=1
echo '== manual pages'
for page in $pages; do
	if command -v mandoc >/dev/null; then
		mandoc -T lint -W warning "$page" || failed=1
	elif command -v man >/dev/null; then
		problems=$(LC_ALL=C.UTF-8 MANROFFSEQ='' man --warnings -E UTF-8 -l -Tutf8 -Z "$page" \
			2>&1 >/dev/null)
		[ -z "$problems" ] || { echo "$problems"; failed=1; }
	fi
done
[ $failed = 0 ] && echo 'lint: clean'
exit $failed
