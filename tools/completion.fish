
# Of the words before the cursor: the command they name, then its operands so far, one a line.
function __modelwatch_words
    set -l words (commandline -opc)
    set -l command modelwatch
    set -l operands
    set -l ended
    set -l value
    for word in $words[2..-1]
        if set -q operands[1]
            set -a operands $word
        else if test -n "$value"
            set value
        else if test -z "$ended" -a "$word" = --
            set ended yes
        else if test -z "$ended"; and string match -q -- '-?*' $word
            contains -- "$command $word" $__modelwatch_with_value; and set value yes
        else if contains -- "$command $word" $__modelwatch_commands
            set command "$command $word"
        else
            set operands $word
        end
    end
    printf '%s\n' $command $operands
end

# Whether the options and operands of COMMAND are what can come next.
function __modelwatch_at --argument-names command
    set -l words (__modelwatch_words)
    test "$words[1]" = "$command"; or return
    not set -q words[2]; or not contains -- "$command" $__modelwatch_with_line
end

# Whether the line that COMMAND runs is what can come next.
function __modelwatch_at_line --argument-names command
    set -l words (__modelwatch_words)
    test "$words[1]" = "$command"; or return
    set -q words[2]; or not string match -q -- '-*' (commandline -ct)
end

# Completes the command line behind the options of COMMAND as the shell would do alone.
function __modelwatch_line
    set -l words (__modelwatch_words) (commandline -ct)
    __fish_complete_subcommand --commandline $words[2..-1]
end

# Directories for the value of an option also where it stands behind its sign.
function __modelwatch_directories
    set -l word (commandline -ct | string replace -r -- '^--[^=]*=' '')
    __fish_complete_directories "$word"
end

complete -c modelwatch -f
