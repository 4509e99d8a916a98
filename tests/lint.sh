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
	eval "set -- $CFLAGS"
	printf '%s\n' $sources | xargs -P "$(nproc)" -I{} clang-tidy --quiet {} -- "$@" 2>/dev/null
}

echo '== format'
clang-format --dry-run -Werror $sources $headers || failed=1
echo '== clang-tidy'
tidy || failed=1
echo '== cppcheck'
# ctuuninitvar: of parameters that are only written to, and only told of with one processor.
cppcheck --quiet --std=c11 --language=c --enable=warning,portability --inline-suppr \
	--suppress=missingIncludeSystem --suppress=allocaCalled --suppress=comparePointers \
	--suppress=ctuuninitvar --error-exitcode=1 -j "$(nproc)" -D_GNU_SOURCE -D__x86_64__ -DMW_VERSION='""' \
	-D'SPANK_PLUGIN(NAME,VERSION)=' -D'LIBBPF_OPTS(TYPE,NAME,...)=struct TYPE NAME={__VA_ARGS__}' $sources || failed=1
echo '== manual pages'
for page in $pages; do
	mandoc -T lint -W warning "$page" || failed=1
done
[ $failed = 0 ] && echo 'lint: clean'
exit $failed
