#include "daemon_scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry.h"

#define NEAR 1000000000u /* ns between a birth and what is told of it */

static void drop(struct mw_daemon_birth *birth)
{
	struct mw_daemon_origin *origin = birth->origin;

	if (origin && !--origin->tasks) {
		free(origin->load);
		free(origin->stack);
		free(origin);
	}
	*birth = (struct mw_daemon_birth){0};
}

static struct mw_daemon_origin *find_origin(const struct mw_daemon_scope *scope, uint64_t load)
{
	for (uint32_t i = 0; i < MW_DAEMON_BIRTHS; i++) {
		struct mw_daemon_origin *origin = scope->births[i].origin;

		if (origin && origin->load->id == load)
			return origin;
	}
	return NULL;
}

static size_t stack_text(const struct mw_pyframe *frames, uint32_t count)
{
	size_t len = 0;

	for (uint32_t i = 0; i < count; i++)
		len += (size_t)frames[i].function.len + frames[i].file.len + 2;
	return len;
}

static char *keep_text(char *to, struct mw_str text, const char **ret)
{
	if (text.len)
		memcpy(to, text.s, text.len);
	to[text.len] = '\0';
	*ret = to;
	return to + text.len + 1;
}

static struct mw_daemon_stack *make_stack(const struct mw_pyframe *frames, uint32_t count,
                                          uint32_t inside)
{
	struct mw_daemon_stack *stack = malloc(sizeof(*stack) + stack_text(frames, count));
	char *to = stack ? stack->text : NULL;

	if (!stack)
		return NULL;
	stack->count = count;
	stack->inside = inside;
	for (uint32_t i = 0; i < count; i++) {
		to = keep_text(to, frames[i].function, &stack->frame[i].function);
		to = keep_text(to, frames[i].file, &stack->frame[i].file);
		stack->frame[i].line = frames[i].line;
	}
	return stack;
}

static struct mw_daemon_origin *make_origin(pid_t pid, const struct mw_record_load *load,
                                            const struct mw_location *at)
{
	struct mw_daemon_origin *origin = calloc(1, sizeof(*origin));

	if (!origin)
		return NULL;
	origin->load = mw_registry_copy(pid, load);
	if (!origin->load) {
		free(origin);
		return NULL;
	}
	origin->at = *at;
	return origin;
}

int mw_daemon_scope_born(struct mw_daemon_scope *scope, const struct mw_daemon_birth *birth,
                         pid_t pid, const struct mw_record_load *load, const struct mw_location *at,
                         const struct mw_pyframe *frames, uint32_t count, uint32_t inside)
{
	struct mw_daemon_birth *place = &scope->births[scope->next++ % MW_DAEMON_BIRTHS];
	struct mw_daemon_origin *origin = find_origin(scope, load->id);

	if (origin)
		mw_location_add(&origin->at, at);
	else if (!(origin = make_origin(pid, load, at)))
		return -ENOMEM;
	if (!origin->stack && count)
		origin->stack = make_stack(frames, count, inside);
	origin->tasks++;
	drop(place);
	*place = *birth;
	place->origin = origin;
	return 0;
}

struct mw_daemon_birth *mw_daemon_scope_find(struct mw_daemon_scope *scope, uint64_t id)
{
	for (uint32_t i = 0; id && i < MW_DAEMON_BIRTHS; i++)
		if (scope->births[i].id == id)
			return &scope->births[i];
	return NULL;
}

static void add_free(struct mw_daemon_scope *scope, uint32_t tgid, bool born, uint64_t start)
{
	uint32_t i = scope->own_next++ % MW_DAEMON_FREE;

	scope->own[i].tgid = tgid;
	scope->own[i].born = born;
	scope->own[i].start = start;
}

void mw_daemon_scope_free(struct mw_daemon_scope *scope, uint32_t tgid, uint64_t start)
{
	add_free(scope, tgid, false, start);
}

void mw_daemon_scope_free_born(struct mw_daemon_scope *scope, uint32_t tgid, uint64_t time)
{
	add_free(scope, tgid, true, time);
}

static bool is_near(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) < NEAR;
}

bool mw_daemon_scope_is_free(struct mw_daemon_scope *scope, uint32_t tgid, uint64_t start)
{
	for (uint32_t i = 0; i < MW_DAEMON_FREE; i++) {
		if (scope->own[i].tgid != tgid)
			continue;
		if (scope->own[i].born && is_near(scope->own[i].start, start)) {
			scope->own[i].born = false;
			scope->own[i].start = start;
		}
		if (!scope->own[i].born && scope->own[i].start == start)
			return true;
	}
	return false;
}

void mw_daemon_scope_clear(struct mw_daemon_scope *scope)
{
	for (uint32_t i = 0; i < MW_DAEMON_BIRTHS; i++)
		drop(&scope->births[i]);
}
