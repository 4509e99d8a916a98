/* The programs of `modelwatch daemon` in the kernel: one object. Those with a '?' are tried one by
 * one, and the daemon does without what does not load. */
#include "kernel.h"

#define MW_PY_READ(dst, size, address) bpf_probe_read_user(dst, size, (void *)(address))

#include "calls.h"
#include "entries.h"
#include "inventory.h"
#include "lsm.h"
#include "network.h"
#include "tasks.h"

char LICENSE[] SEC("license") = "GPL";
