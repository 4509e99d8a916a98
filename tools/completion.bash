
# Sets words to the line up to the cursor, with --option=value in one piece although readline breaks
# it at the sign, and places to where each begins in COMP_WORDS.
_modelwatch_words()
{
	local i word
	words=() places=()
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if ((i)) && [[ $word == =* && ${words[-1]} == --* ||
			-n $word && ${COMP_WORDS[i - 1]} == = && ${words[-1]} == --*= ]]; then
			words[-1]+=$word
		else
			words+=("$word")
			places+=("$i")
		fi
	done
}

# Offers for WORD what VALUES says.
_modelwatch_offer() # VALUES WORD
{
	case $1 in
	words*) mapfile -t COMPREPLY < <(compgen -W "${1#words}" -- "$2") ;;
	files)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$2")
		;;
	directories)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$2")
		;;
	esac
}

# Completes the command line that begins at PLACE in COMP_WORDS as the shell would do alone. The
# function that bash-completion has for this is better; it need not be there.
_modelwatch_line() # PLACE
{
	local function name=${COMP_WORDS[$1]} specification
	for function in _comp_command_offset _command_offset; do
		if declare -F "$function" >/dev/null; then
			"$function" "$1"
			return
		fi
	done
	if ((COMP_CWORD == $1)); then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -c -- "$name")
		return
	fi
	specification=$(complete -p -- "${name##*/}" 2>/dev/null)
	if [[ $specification =~ ' -F '([^ ]+) ]]; then
		COMP_WORDS=("${COMP_WORDS[@]:$1}")
		COMP_CWORD=$((COMP_CWORD - $1))
		COMP_LINE=${COMP_WORDS[*]}
		COMP_POINT=${#COMP_LINE}
		"${BASH_REMATCH[1]}" "$name" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
	else
		_modelwatch_offer files "${COMP_WORDS[COMP_CWORD]}"
	fi
}

# Completes a word that begins as an option; what readline has not broken off stays in front.
_modelwatch_option() # WORD
{
	if [[ $1 == --*=* ]]; then
		_modelwatch_values "$command" "${1%%=*}"
		_modelwatch_offer "$values" "${1#*=}"
		if [[ ${COMP_WORDS[COMP_CWORD]} == "$1" ]]; then
			COMPREPLY=("${COMPREPLY[@]/#/${1%%=*}=}")
		fi
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$options" -- "$1")
	if [[ ${COMPREPLY[0]} == *= ]]; then
		compopt -o nospace 2>/dev/null
	fi
}

_modelwatch()
{
	local IFS=$' \t\n' words places command=modelwatch commands options operands values
	local i word option='' ended=''
	COMPREPLY=()
	_modelwatch_words
	_modelwatch_command "$command"
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		word=${words[i]}
		if [[ $option ]]; then
			option=''
		elif [[ ! $ended && $word == -- ]]; then
			ended=yes
		elif [[ ! $ended && $word == -?* ]]; then
			_modelwatch_values "$command" "$word"
			[[ $values ]] && option=$word
		elif [[ $commands ]]; then
			command+=" $word"
			_modelwatch_command "$command"
		elif [[ $operands == line ]]; then
			_modelwatch_line "${places[i]}"
			return
		fi
	done
	word=${words[i]}
	if [[ $option ]]; then
		_modelwatch_values "$command" "$option"
		_modelwatch_offer "$values" "$word"
	elif [[ ! $ended && $word == -* ]]; then
		_modelwatch_option "$word"
	elif [[ $commands ]]; then
		_modelwatch_offer "words $commands" "$word"
	elif [[ $operands == line ]]; then
		_modelwatch_line "${places[i]}"
	else
		_modelwatch_offer "$operands" "$word"
	fi
}

complete -F _modelwatch modelwatch
