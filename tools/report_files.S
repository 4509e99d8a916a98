/* The page of `modelwatch report --html` as data, each file between two symbols. */
	.section .rodata
	.macro embed name, file
	.global \name
	.global \name\()_end
	.hidden \name
	.hidden \name\()_end
\name:
	.incbin "\file"
\name\()_end:
	.byte 0
	.endm
	embed mw_page_html, tools/report.html
	embed mw_page_css, tools/report.css
	embed mw_page_js, tools/report.js
	.section .note.GNU-stack, "", %progbits
