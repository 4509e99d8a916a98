/* core/default-policy.yaml as data, between two symbols. */
	.section .rodata
	.global mw_default_policy
	.global mw_default_policy_end
	.hidden mw_default_policy
	.hidden mw_default_policy_end
mw_default_policy:
	.incbin "core/default-policy.yaml"
mw_default_policy_end:
	.byte 0
	.section .note.GNU-stack, "", %progbits
