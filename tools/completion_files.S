/* The parts of completion scripts that are the same for any table, as data. */
	.section .rodata
	.macro embed name, file
	.global \name
	.hidden \name
\name:
	.incbin "\file"
	.byte 0
	.endm
	embed mw_completion_bash_functions, tools/completion.bash
	embed mw_completion_fish_functions, tools/completion.fish
	.section .note.GNU-stack, "", %progbits
