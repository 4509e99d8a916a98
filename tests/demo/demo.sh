#!/bin/sh
# The main job on a real training script: demo.sh BUILD_DIRECTORY PYTHON
#
# An honest checkpoint must train with nothing said; a poisoned one must be stopped before it acts,
# with an alert. Fails when either does not.
set -u
here=$(dirname "$0")
modelwatch=$1/modelwatch
python=$2
place=$(mktemp -d) || exit 1
trap 'rm -rf "$place"' EXIT
trap 'exit 130' INT TERM
marker=$place/marker
failed=0

narrate()
{
	printf '\n# %s\n' "$*"
}

expect() # WHAT COMMAND...
{
	what=$1
	shift
	if "$@"; then
		echo "ok: $what"
	else
		echo "FAILED: $what"
		failed=1
	fi
}

narrate 'Two checkpoints: honest.pt, and poisoned.pt, which runs a command when it is loaded.'
"$python" "$here/make_checkpoints.py" "$place" "$marker" || exit 1

narrate 'The honest one: modelwatch run python train.py honest.pt'
"$modelwatch" run -- "$python" "$here/train.py" "$place/honest.pt" 2>"$place/errors"
status=$?
cat "$place/errors" >&2
expect 'it trained' test $status = 0
expect 'modelwatch had nothing to say' test ! -s "$place/errors"

narrate 'The poisoned one without modelwatch: python train.py poisoned.pt'
"$python" "$here/train.py" "$place/poisoned.pt"
expect 'it trained as well, and the command in the file ran' test -e "$marker"
rm -f "$marker"

narrate 'The poisoned one: modelwatch run python train.py poisoned.pt'
"$modelwatch" run --alerts="$place/alerts" -- "$python" "$here/train.py" "$place/poisoned.pt"
status=$?
expect "the job failed (exit status $status)" test $status != 0
expect 'the command in the file did not run' test ! -e "$marker"
expect 'there is one alert' test "$(cat "$place/alerts" 2>/dev/null | wc -l)" = 1

exit $failed
