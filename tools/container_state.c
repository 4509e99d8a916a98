#include "container_state.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "root_file.h"
#include "text.h"

#define STATE_BYTES (1u << 20)
#define LIST_BYTES (4u << 20)
#define NAMESPACES_MAX 64
#define ENTRIES_MAX 16384

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define TAKE(out, json) take(out, sizeof(out), json)

static void take(char *out, size_t size, const json_t *json)
{
	const char *s = json_string_value(json);

	if (!s || !*s || out[0])
		return;
	mw_utf8_clean(s, strlen(s), out, size);
}

static bool tells(const struct mw_container_state *state)
{
	return state->name[0] || state->image[0] || state->pod[0];
}

static int result_of(const struct mw_container_state *state, const char *runtime,
                     struct mw_container_state *ret)
{
	if (!tells(state))
		return -ENOENT;
	*ret = *state;
	ret->runtime = runtime;
	return 0;
}

/* The same four under the names that each runtime has for them. */
struct keys {
	const char *name, *image, *pod, *namespace, *uid;
};

static const struct keys cri_keys = {
        "io.kubernetes.cri.container-name", "io.kubernetes.cri.image-name",
        "io.kubernetes.cri.sandbox-name", "io.kubernetes.cri.sandbox-namespace",
        "io.kubernetes.cri.sandbox-uid"};
static const struct keys crio_keys = {"io.kubernetes.container.name",
                                      "io.kubernetes.cri-o.ImageName", "io.kubernetes.pod.name",
                                      "io.kubernetes.pod.namespace", "io.kubernetes.pod.uid"};

static void take_keys(const json_t *values, const struct keys *keys, struct mw_container_state *out)
{
	TAKE(out->name, json_object_get(values, keys->name));
	TAKE(out->image, json_object_get(values, keys->image));
	TAKE(out->pod, json_object_get(values, keys->pod));
	TAKE(out->namespace, json_object_get(values, keys->namespace));
	TAKE(out->uid, json_object_get(values, keys->uid));
}

int mw_container_docker(const char *root, const char *id, struct mw_container_state *ret)
{
	struct mw_container_state state = {0};
	int directory = mw_root_directory(root, "/var/lib/docker/containers");
	const json_t *config, *name;
	char path[128];
	json_t *json;

	if (directory < 0)
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/config.v2.json", id);
	json = mw_root_json(directory, path, STATE_BYTES);
	close(directory);
	config = json_object_get(json, "Config");
	take_keys(json_object_get(config, "Labels"), &crio_keys, &state);
	TAKE(state.image, json_object_get(config, "Image"));
	name = json_object_get(json, "Name");
	if (!state.name[0] && json_is_string(name)) {
		const char *text = json_string_value(name);

		text += *text == '/';
		mw_utf8_clean(text, strlen(text), state.name, sizeof(state.name));
	}
	json_decref(json);
	return result_of(&state, "docker", ret);
}

/* A directory for each of its namespaces, Kubernetes' among them. */
int mw_container_containerd(const char *root, const char *id, struct mw_container_state *ret)
{
	struct mw_container_state state = {0};
	int directory = mw_root_directory(root, "/run/containerd/io.containerd.runtime.v2.task");
	DIR *list = directory < 0 ? NULL : fdopendir(directory);
	char path[sizeof(((struct dirent *)0)->d_name) + 128];
	const struct dirent *entry;
	json_t *json;

	if (!list) {
		if (directory >= 0)
			close(directory);
		return -ENOENT;
	}
	for (int i = 0; i < NAMESPACES_MAX && !tells(&state) && (entry = readdir(list)); i++) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/config.json", entry->d_name, id);
		json = mw_root_json(directory, path, STATE_BYTES);
		take_keys(json_object_get(json, "annotations"), &cri_keys, &state);
		json_decref(json);
	}
	closedir(list);
	return result_of(&state, "containerd", ret);
}

/* CRI-O writes what it knows among the annotations of the container itself. */
static bool read_annotations(int directory, const char *id, struct mw_container_state *state)
{
	char path[128];
	const json_t *annotations;
	json_t *json;
	bool is_crio;

	snprintf(path, sizeof(path), "%s/userdata/config.json", id);
	json = mw_root_json(directory, path, STATE_BYTES);
	annotations = json_object_get(json, "annotations");
	is_crio = json_object_get(annotations, crio_keys.image) ||
	          json_object_get(annotations, "io.kubernetes.cri-o.ContainerType");
	take_keys(annotations, &crio_keys, state);
	json_decref(json);
	return is_crio;
}

/* The list of all containers; each has metadata, which is JSON in a string. */
static void read_list(int directory, const char *id, struct mw_container_state *state)
{
	json_t *list = mw_root_json(directory, "containers.json", LIST_BYTES), *metadata;
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		const char *here = json_string_value(json_object_get(one, "id")), *text;

		if (!here || strcmp(here, id) != 0)
			continue;
		text = json_string_value(json_object_get(one, "metadata"));
		metadata = text ? json_loads(text, 0, NULL) : NULL;
		TAKE(state->name, json_array_get(json_object_get(one, "names"), 0));
		TAKE(state->image, json_object_get(metadata, "image-name"));
		json_decref(metadata);
		break;
	}
	json_decref(list);
}

/* What podman and CRI-O share. */
int mw_container_storage(const char *root, const char *id, struct mw_container_state *ret)
{
	static const char *const places[] = {
	        "/run/containers/storage/overlay-containers",
	        "/var/lib/containers/storage/overlay-containers",
	        "/run/containers/storage/vfs-containers",
	        "/var/lib/containers/storage/vfs-containers",
	};
	struct mw_container_state state = {0};
	bool is_crio = false;

	for (size_t i = 0; i < COUNT(places) && !state.image[0]; i++) {
		int directory = mw_root_directory(root, places[i]);

		if (directory < 0)
			continue;
		is_crio = read_annotations(directory, id, &state) || is_crio;
		if (!state.image[0])
			read_list(directory, id, &state);
		close(directory);
	}
	return result_of(&state, is_crio ? "cri-o" : "podman", ret);
}

/* Splits "first<c>second" at the first `c`. */
static void split(const char *text, size_t len, char c, char *first, size_t first_size,
                  char *second, size_t second_size)
{
	const char *at = memchr(text, c, len);

	if (!at || at == text || at + 1 == text + len)
		return;
	mw_utf8_clean(text, (size_t)(at - text), first, first_size);
	mw_utf8_clean(at + 1, len - (size_t)(at + 1 - text), second, second_size);
}

/* <namespace>_<pod>_<uid> */
static bool read_pod_entry(const char *name, const char *uid, struct mw_container_state *state)
{
	size_t len = strlen(name), n = strlen(uid);

	if (len <= n + 1 || strcmp(name + len - n, uid) != 0 || name[len - n - 1] != '_')
		return false;
	split(name, len - n - 1, '_', state->namespace, sizeof(state->namespace), state->pod,
	      sizeof(state->pod));
	return state->pod[0];
}

/* <pod>_<namespace>_<container>-<id>.log */
static bool read_log_entry(const char *name, const char *id, struct mw_container_state *state)
{
	char end[MW_CGROUP_ID + 8], rest[256] = "";
	int n = snprintf(end, sizeof(end), "-%s.log", id);
	size_t len = strlen(name);

	if (len <= (size_t)n || strcmp(name + len - (size_t)n, end) != 0)
		return false;
	split(name, len - (size_t)n, '_', state->pod, sizeof(state->pod), rest, sizeof(rest));
	split(rest, strlen(rest), '_', state->namespace, sizeof(state->namespace), state->name,
	      sizeof(state->name));
	return state->pod[0];
}

static bool read_entries(const char *root, const char *path, const char *key,
                         bool (*read_entry)(const char *, const char *,
                                            struct mw_container_state *),
                         struct mw_container_state *state)
{
	int directory = *key ? mw_root_directory(root, path) : -ENOENT;
	DIR *list = directory < 0 ? NULL : fdopendir(directory);
	const struct dirent *entry;
	bool found = false;

	if (!list && directory >= 0)
		close(directory);
	for (int i = 0; list && i < ENTRIES_MAX && !found && (entry = readdir(list)); i++)
		found = read_entry(entry->d_name, key, state);
	if (list)
		closedir(list);
	return found;
}

int mw_container_logs(const char *root, const char *id, const char *uid,
                      struct mw_container_state *ret)
{
	struct mw_container_state state = {0};

	read_entries(root, "/var/log/containers", id, read_log_entry, &state);
	if (!state.pod[0])
		read_entries(root, "/var/log/pods", uid, read_pod_entry, &state);
	return result_of(&state, NULL, ret);
}

static int ask_runtimes(const char *root, const struct mw_cgroup *cgroup,
                        struct mw_container_state *ret)
{
	static const struct {
		const char *runtime;
		int (*read)(const char *, const char *, struct mw_container_state *);
	} all[] = {{"docker", mw_container_docker},
	           {"containerd", mw_container_containerd},
	           {"cri-o", mw_container_storage},
	           {"podman", mw_container_storage}};
	const char *runtime = cgroup->runtime;

	for (size_t i = 0; i < COUNT(all); i++)
		if ((!runtime || !strcmp(runtime, all[i].runtime)) &&
		    !all[i].read(root, cgroup->container, ret))
			return 0;
	return -ENOENT;
}

int mw_container_state(const char *root, const struct mw_cgroup *cgroup,
                       struct mw_container_state *ret)
{
	bool has_id = mw_cgroup_is_hex_id(cgroup->container, strlen(cgroup->container));
	struct mw_container_state logs;
	int error = -ENOENT;

	*ret = (struct mw_container_state){0};
	if (cgroup->container_trust < MW_CGROUP_HOST)
		return -EPERM;
	if (has_id)
		error = ask_runtimes(root, cgroup, ret);
	if (!error && cgroup->pod[0] && ret->uid[0] && strcmp(cgroup->pod, ret->uid) != 0) {
		*ret = (struct mw_container_state){0};
		error = -ENOENT;
	}
	if (ret->pod[0] || !cgroup->pod[0])
		return error;
	if (mw_container_logs(root, has_id ? cgroup->container : "", cgroup->pod, &logs))
		return error;
	memcpy(ret->pod, logs.pod, sizeof(ret->pod));
	memcpy(ret->namespace, logs.namespace, sizeof(ret->namespace));
	if (!ret->name[0])
		memcpy(ret->name, logs.name, sizeof(ret->name));
	return 0;
}
