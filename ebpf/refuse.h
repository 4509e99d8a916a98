/* Whether an effect is refused, decided in place: who is to blame for it, as far as that is certain
 * here, and what the policy says of such effects (tools/daemon_refusals.h). In doubt nothing is
 * refused: the daemon has more to go by, and tells of it. */
#ifndef MW_EBPF_REFUSE_H
#define MW_EBPF_REFUSE_H

#include "capture.h"

#define DEEP_CALLS 128 /* Python frames that are looked at; more are in doubt */
#define HOOK_NAME 16
#define SPARED_LEVELS 12 /* of a path that are looked through for folders */

/* The program's own file object and hooks, which the unpickler calls and the stream does not. */
static const char hooks[][HOOK_NAME] = {
        "read",       "readinto",   "readline",        "seek",
        "tell",       "peek",       "read1",           "readall",
        "readinto1",  "find_class", "persistent_load", "__setstate__",
        "load_build",
};

static __always_inline bool is_hook_name(const char *tail, uint64_t len, const char *hook)
{
	uint32_t n = 0, differs = 0;

#pragma unroll
	for (uint32_t i = 0; i < HOOK_NAME; i++)
		n += hook[i] != '\0';
#pragma unroll
	for (uint32_t i = 0; i < HOOK_NAME; i++)
		if (i < n)
			differs |= tail[HOOK_NAME - n + i] ^ hook[i];
	return !differs && (len == n || (len > n && tail[HOOK_NAME - n - 1] == '.'));
}

/* By the last part of its name. What lies before a short one is the string object's own. */
__attribute__((noinline)) int is_hook(uint64_t name)
{
	const struct mw_py_offsets *o = offsets_of_current();
	char tail[HOOK_NAME] = {0};
	uint64_t len;

	if (!o)
		return 1;
	len = word_at(name + o->text_length);
	if (bpf_probe_read_user(tail, sizeof(tail),
	                        (void *)(name + o->text_ascii + len - sizeof(tail))))
		return 1;
#pragma unroll
	for (uint32_t i = 0; i < sizeof(hooks) / sizeof(*hooks); i++)
		if (is_hook_name(tail, len, hooks[i]))
			return 1;
	return 0;
}

enum frame_kind {
	FRAME_OF_NOBODY,
	FRAME_OTHER,
	FRAME_IMPORTS,
	FRAME_HOOK,
	FRAME_PICKLES, /* of the unpickler in Python */
};

__attribute__((noinline)) int kind_of_frame(uint64_t frame)
{
	const struct mw_py_offsets *o = offsets_of_current();
	uint64_t code, name;

	if (!o)
		return FRAME_IMPORTS;
	code = word_at(frame + o->frame_code);
	name = word_at(code + o->code_name);
	if (ENDS_IN(o, name, "_find_and_load"))
		return FRAME_IMPORTS;
	if (is_hook(name))
		return FRAME_HOOK;
	return ENDS_IN(o, word_at(code + o->code_file), "/pickle.py") ? FRAME_PICKLES : FRAME_OTHER;
}

/* Who is to blame for what is done inside of a load, from the Python frames inside of it: none, and
 * the stream has called what is at work itself. Those of an unpickler in Python are its own. Below
 * an import it is not told here. */
__attribute__((noinline)) int blame_in_load(struct state *st, uint64_t outside, uint32_t pure)
{
	const struct mw_py_offsets *o = offsets_of_current();
	int outermost = FRAME_OF_NOBODY;
	uint64_t frame;

	if (!st || !o || !outside)
		return MW_K_NOBODY;
	frame = top_frame(st);
	if (frame == outside)
		return pure ? MW_K_NOBODY : MW_K_CALLED;
	for (int i = 0; i < DEEP_CALLS && frame; i++) {
		int kind;

		if (frame == outside)
			return outermost == FRAME_HOOK && !(st->fetched & MW_K_FETCHED_MAKER)
			               ? MW_K_NOBODY
			               : MW_K_BY_PYTHON;
		kind = kind_of_frame(frame);
		if (kind == FRAME_IMPORTS)
			return MW_K_NOBODY;
		if (!pure || kind != FRAME_PICKLES)
			outermost = kind;
		frame = word_at(frame + o->frame_back);
	}
	return MW_K_NOBODY;
}

static __always_inline uint64_t user_stack(void)
{
	struct pt_regs *regs =
	        (struct pt_regs *)bpf_task_pt_regs((void *)bpf_get_current_task_btf());
	uint64_t sp = 0;

	bpf_probe_read_kernel(&sp, sizeof(sp), &regs->sp);
	return sp;
}

/* Messages of other processes are loads, too: the daemon knows them by who asked for the load. */
__attribute__((noinline)) int may_be_message(uint64_t frame)
{
	const struct mw_py_offsets *o = offsets_of_current();

	for (int i = 0; i < 4 && frame && o; i++) {
		uint64_t file = word_at(word_at(frame + o->frame_code) + o->code_file);

		if (ENDS_IN(o, file, "processing/connection.py") ||
		    ENDS_IN(o, file, "multiprocessing/queues.py") ||
		    ENDS_IN(o, file, "multiprocessing/spawn.py") ||
		    ENDS_IN(o, file, "/loky/backend/queues.py"))
			return 1;
		frame = word_at(frame + o->frame_back);
	}
	return 0;
}

/* That its place on the stack is as it was may be left over: the program has gone on meanwhile if
 * its own frame is somewhere else in its code. */
static __always_inline bool goes_on(const struct open_load *load)
{
	const struct mw_py_offsets *o = offsets_of_current();

	if (load->entry == MW_K_PURE)
		return o && word_at(load->frame + o->frame_code) == load->code;
	return load->at && instruction_of(load->frame) == load->at;
}

/* Who is to blame for what the current thread does. What find_class runs is an import, whatever the
 * frames: the code of one may not have begun. Of torch.load()'s own work nothing is certain
 * here. */
__attribute__((noinline)) int blame(struct state *st)
{
	struct open_load *load;
	uint64_t sp;

	if (!st || st->replaced)
		return MW_K_NOBODY;
	sp = user_stack();
	if (!st->depth || !still_open(st, sp))
		return st->scope ? st->blame : MW_K_NOBODY;
	load = innermost(st);
	if (!load || load->entry == MW_K_TORCH || load->entry == MW_K_TORCHSCRIPT ||
	    !goes_on(load) || is_fetching(sp, st, load))
		return MW_K_NOBODY;
	if (may_be_message(load->frame))
		return MW_K_NOBODY;
	return blame_in_load(st, load->frame, load->entry == MW_K_PURE);
}

/* What an effect is on. The kernel's addresses are numbers here: so it can be handed on. A file has
 * `dentry`, and `mount` where the kernel says it: without it has no place. `text` is the path of a
 * unix socket, and what a program is called by. */
struct subject {
	uint32_t class, facts;
	uint64_t mount, dentry, second, text;
};

/* How its path begins: its own name, and behind it the folders that it is in. */
struct spelling {
	struct mw_k_words name, place;
	uint32_t place_len, placed;
};

static __always_inline uint64_t unlike(const struct mw_k_words *text, const struct mw_k_words *like,
                                       const struct mw_k_words *mask)
{
	uint64_t differs = 0;

#pragma unroll
	for (int i = 0; i < MW_K_WORDS; i++)
		differs |= (text->word[i] ^ like->word[i]) & mask->word[i];
	return differs;
}

static __always_inline bool is_spelt(const struct spelling *spelling,
                                     const struct mw_k_spared *spared)
{
	uint64_t differs = unlike(&spelling->name, &spared->name, &spared->name_mask);

	if (spelling->placed && spared->place_len)
		differs |= (spelling->place_len ^ spared->place_len) |
		           unlike(&spelling->place, &spared->place, &spared->place_mask);
	return !differs;
}

static __always_inline void name_of(struct dentry *dentry, struct mw_k_words *ret)
{
	*ret = (struct mw_k_words){0};
	bpf_probe_read_kernel_str(ret, sizeof(*ret), BPF_CORE_READ(dentry, d_name.name));
}

static __always_inline void find_place(uint64_t mount, struct dentry *dentry, struct spelling *ret)
{
	uint32_t behind = BPF_CORE_READ(dentry, d_name.len) + 1;
	struct scratch *s = claim(MW_K_HOOK_LSM);

	if (!s)
		return;
	s->used = 0;
	path_names(s, mount, (uint64_t)dentry, &s->effect.file);
	ret->placed = 1;
	ret->place_len = s->used - behind;
	bpf_probe_read_kernel(&ret->place, sizeof(ret->place),
	                      &s->effect.strings[behind & (MW_K_STRINGS / 2 - 1)]);
	release(s);
}

static __always_inline bool is_one_spared(const struct mw_k_refusal *refusal, uint32_t facts,
                                          const struct spelling *spelling)
{
	bool found = false;

	for (uint32_t i = 0; i < MW_K_SPARED; i++) {
		const struct mw_k_spared *spared = &refusal->spared[i];

		if (i >= refusal->count || found)
			break;
		found = (facts & spared->facts) == spared->facts && is_spelt(spelling, spared);
	}
	return found;
}

/* Whether a rule may allow what lies in a folder of that name. */
static __always_inline bool lies_in_spared(const struct mw_k_refusal *refusal,
                                           struct dentry *dentry)
{
	bool found = false;

	for (int level = 0; level < SPARED_LEVELS && dentry; level++) {
		struct mw_k_words name;

		name_of(dentry, &name);
#pragma unroll
		for (uint32_t i = 0; i < MW_K_FOLDERS; i++)
			found |= i < refusal->folders &&
			         !unlike(&name, &refusal->folder[i], &refusal->folder_mask[i]);
		dentry = BPF_CORE_READ(dentry, d_parent);
	}
	return found;
}

/* Whether a rule may allow it. In doubt it may. */
__attribute__((noinline)) int is_spared_file(const struct mw_k_refusal *refusal, uint32_t facts,
                                             uint64_t mount, uint64_t at)
{
	struct dentry *dentry = (struct dentry *)at;
	struct spelling spelling = {.placed = 0};

	if (!refusal)
		return 1;
	name_of(dentry, &spelling.name);
	if (mount)
		find_place(mount, dentry, &spelling);
	return is_one_spared(refusal, facts, &spelling) ||
	       (refusal->folders && lies_in_spared(refusal, dentry));
}

__attribute__((noinline)) int is_spared_text(const struct mw_k_refusal *refusal, uint32_t facts,
                                             uint64_t text)
{
	struct spelling spelling = {.placed = 0};

	if (!refusal)
		return 1;
	if (text)
		bpf_probe_read_kernel_str(&spelling.name, sizeof(spelling.name), (void *)text);
	return is_one_spared(refusal, facts, &spelling);
}

static __always_inline bool is_spared(const struct mw_k_refusal *refusal, const struct subject *on,
                                      uint32_t facts)
{
	if ((on->text || !on->dentry) && is_spared_text(refusal, facts, on->text))
		return true;
	if (!on->dentry)
		return false;
	return is_spared_file(refusal, facts, on->mount, on->dentry) &&
	       (!on->second || is_spared_file(refusal, facts, on->mount, on->second));
}

/* Whether the current thread, whose state is `st`, must not do it. */
__attribute__((noinline)) int is_refused(struct state *st, const struct subject *on)
{
	struct mw_k_refusal *refusal;
	uint32_t key, facts;

	if (!enforces || !st || !on || (!st->depth && !st->scope))
		return 0;
	key = mw_k_refusal_key(on->class, blame(st));
	facts = on->facts;
	if (!(st->fetched & MW_K_FETCHED_CALL))
		facts |= MW_K_UNCALLED;
	refusal = bpf_map_lookup_elem(&refusals, &key);
	if (!refusal || !refusal->refuse || !st->bound)
		return 0;
	return (!refusal->count && !refusal->folders) || !is_spared(refusal, on, facts);
}

#endif
