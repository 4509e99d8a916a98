/* From the YAML of a policy or of the daemon's configuration to the JSON that is read. */
#include "sink_config.h"

#include <errno.h>
#include <string.h>

#include "../tools/yaml_json.h"

json_t *mw_sinks_json(void)
{
	return json_pack("{s:{}, s:{}}", "sinks", "spool");
}

bool mw_sinks_any(const json_t *config)
{
	return json_object_size(json_object_get(config, "sinks")) > 0;
}

int mw_sinks_merge(json_t *into, const json_t *from)
{
	static const char *const parts[] = {"sinks", "spool"};

	for (size_t i = 0; i < 2; i++)
		if (json_object_update(json_object_get(into, parts[i]),
		                       json_object_get(from, parts[i])))
			return -ENOMEM;
	return 0;
}

/* The places of mappings, which mw_source_json() puts into them. */
static void drop_lines(json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	json_object_del(value, "line");
	json_object_foreach(value, key, item)
	{
		drop_lines(item);
	}
	json_array_foreach(value, i, item)
	{
		drop_lines(item);
	}
}

/* Each text on its own has to be right, whatever others say. */
static int put(struct mw_source *s, const char *part, json_t *what, json_t *into)
{
	struct mw_sinks_config config = {.count = 0};
	json_t *alone = what ? json_pack("{s:O}", part, what) : NULL;
	char why[400] = "not enough memory";
	int error = alone ? mw_sinks_read(alone, &config, why, sizeof(why)) : -ENOMEM;

	mw_sinks_free(&config);
	if (!error && json_object_update(json_object_get(into, part), what))
		error = -ENOMEM;
	json_decref(alone);
	json_decref(what);
	return error ? mw_source_complain(s, "%s", why) : 0;
}

/* A list of mappings with names becomes an object by name, less what its keys say twice. */
static int by_name(struct mw_source *s, const json_t *list, json_t *out)
{
	const char *name;
	json_t *sink;
	size_t i;

	json_array_foreach(list, i, sink)
	{
		name = json_string_value(json_object_get(sink, "name"));
		if (!name)
			return mw_source_complain(s, "sinks: each is a mapping that has a 'name'");
		if (json_object_get(out, name))
			return mw_source_complain(s, "sinks: '%.63s' is there twice", name);
		if (json_object_set(out, name, sink) || json_object_del(sink, "name"))
			return mw_source_no_room(s, -ENOMEM);
	}
	return 0;
}

int mw_sinks_take_sinks(struct mw_source *s, json_t *into)
{
	json_t *list = NULL, *out = json_object();
	int error = out ? mw_source_json(s, &list) : mw_source_no_room(s, -ENOMEM);

	drop_lines(list);
	if (!error && !json_is_array(list))
		error = mw_source_complain(s, "'sinks' must be a list");
	if (!error)
		error = by_name(s, list, out);
	json_decref(list);
	if (!error)
		return put(s, "sinks", out, into);
	json_decref(out);
	return error;
}

int mw_sinks_take_spool(struct mw_source *s, json_t *into)
{
	json_t *spool = NULL;
	int error = mw_source_json(s, &spool);

	drop_lines(spool);
	if (!error && !json_is_object(spool)) {
		json_decref(spool);
		return mw_source_complain(s, "'spool' must be a mapping of keys to values");
	}
	return error ? error : put(s, "spool", spool, into);
}
