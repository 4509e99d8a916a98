/* What each runtime keeps about a container, in trees made for the test. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/container_state.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define UID "8b5c4f3e-1111-2222-3333-444455556666"

#define TASKS "/run/containerd/io.containerd.runtime.v2.task"
#define STORAGE "/containers/storage/overlay-containers"
#define DOCKER "/var/lib/docker/containers/" HEX

static char root[] = "/tmp/test_container_state.XXXXXX";
static struct mw_container_state state;

static const char *path_of(const char *path)
{
	static char text[512];

	snprintf(text, sizeof(text), "%s%s", root, path);
	return text;
}

static void make_directories(const char *path)
{
	char text[512];

	snprintf(text, sizeof(text), "%s", path_of(path));
	for (char *p = text + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(text, 0755) < 0)
			assert_int_equal(errno, EEXIST);
		*p = '/';
	}
}

static void write_file(const char *path, const char *text)
{
	FILE *out;

	make_directories(path);
	out = fopen(path_of(path), "w");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	fclose(out);
	chmod(path_of(path), 0644);
}

static int start(void **unused)
{
	(void)unused;
	strcpy(root, "/tmp/test_container_state.XXXXXX");
	umask(022);
	return mkdtemp(root) ? 0 : -1;
}

static int end(void **unused)
{
	char command[600];

	(void)unused;
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

static int ask(const char *container, const char *pod, const char *runtime)
{
	struct mw_cgroup cgroup = {.runtime = runtime, .container_trust = MW_CGROUP_HOST};

	snprintf(cgroup.container, sizeof(cgroup.container), "%s", container);
	snprintf(cgroup.pod, sizeof(cgroup.pod), "%s", pod);
	return mw_container_state(root, &cgroup, &state);
}

static void expect(const char *runtime, const char *name, const char *image, const char *pod,
                   const char *namespace)
{
	assert_string_equal(state.runtime ? state.runtime : "", runtime);
	assert_string_equal(state.name, name);
	assert_string_equal(state.image, image);
	assert_string_equal(state.pod, pod);
	assert_string_equal(state.namespace, namespace);
}

static const char cri[] = "{\"annotations\":{\"io.kubernetes.cri.container-name\":\"trainer\","
                          "\"io.kubernetes.cri.image-name\":\"reg.example/train:1\","
                          "\"io.kubernetes.cri.sandbox-name\":\"job-7-x\","
                          "\"io.kubernetes.cri.sandbox-namespace\":\"ml\","
                          "\"io.kubernetes.cri.sandbox-uid\":\"" UID "\"}}";

static void containerd_tells(void **unused)
{
	(void)unused;
	write_file(TASKS "/moby/" OTHER "/config.json", "{}");
	write_file(TASKS "/k8s.io/" HEX "/config.json", cri);
	assert_int_equal(ask(HEX, UID, "containerd"), 0);
	expect("containerd", "trainer", "reg.example/train:1", "job-7-x", "ml");
	assert_string_equal(state.uid, UID);
	/* Nobody says which runtime it is. */
	assert_int_equal(ask(HEX, UID, NULL), 0);
	expect("containerd", "trainer", "reg.example/train:1", "job-7-x", "ml");
	/* Another runtime's is not asked for, and another container's is not taken. */
	assert_int_equal(ask(HEX, "", "docker"), -ENOENT);
	assert_int_equal(ask(OTHER, "", NULL), -ENOENT);
	expect("", "", "", "", "");
}

static void crio_tells(void **unused)
{
	(void)unused;
	write_file("/run" STORAGE "/" HEX "/userdata/config.json",
	           "{\"annotations\":{\"io.kubernetes.container.name\":\"trainer\","
	           "\"io.kubernetes.cri-o.ImageName\":\"reg.example/train:1\","
	           "\"io.kubernetes.pod.name\":\"job-7-x\","
	           "\"io.kubernetes.pod.namespace\":\"ml\","
	           "\"io.kubernetes.pod.uid\":\"" UID "\"}}");
	assert_int_equal(ask(HEX, UID, "cri-o"), 0);
	expect("cri-o", "trainer", "reg.example/train:1", "job-7-x", "ml");
	assert_int_equal(ask(HEX, UID, NULL), 0);
	expect("cri-o", "trainer", "reg.example/train:1", "job-7-x", "ml");
}

static void docker_tells(void **unused)
{
	(void)unused;
	write_file(DOCKER "/config.v2.json", "{\"Name\":\"/happy_ada\",\"Config\":{\"Image\":"
	                                     "\"train:1\",\"Labels\":{\"a\":\"b\"}}}");
	assert_int_equal(ask(HEX, "", "docker"), 0);
	expect("docker", "happy_ada", "train:1", "", "");
	write_file(DOCKER "/config.v2.json",
	           "{\"Name\":\"/k8s_trainer\",\"Config\":{\"Image\":\"train:1\",\"Labels\":{"
	           "\"io.kubernetes.container.name\":\"trainer\",\"io.kubernetes.pod.name\":"
	           "\"job-7-x\",\"io.kubernetes.pod.namespace\":\"ml\","
	           "\"io.kubernetes.pod.uid\":\"" UID "\"}}}");
	assert_int_equal(ask(HEX, UID, NULL), 0);
	expect("docker", "trainer", "train:1", "job-7-x", "ml");
}

static void podman_tells(void **unused)
{
	(void)unused;
	write_file("/var/lib" STORAGE "/containers.json",
	           "[{\"id\":\"" OTHER "\",\"names\":[\"no\"]},{\"id\":\"" HEX
	           "\",\"names\":[\"ada\"],\"metadata\":\"{\\\"image-name\\\":"
	           "\\\"docker.io/library/python:3.11\\\"}\"}]");
	write_file("/var/lib" STORAGE "/" HEX "/userdata/config.json", "{\"annotations\":{}}");
	assert_int_equal(ask(HEX, "", "podman"), 0);
	expect("podman", "ada", "docker.io/library/python:3.11", "", "");
}

static void logs_of_kubelet_tell(void **unused)
{
	(void)unused;
	write_file("/var/log/pods/ml_job-7-x_" UID "/trainer/0.log", "");
	assert_int_equal(ask("", UID, NULL), 0);
	expect("", "", "", "job-7-x", "ml");
	write_file("/var/log/containers/job-7-x_ml_trainer-" HEX ".log", "");
	assert_int_equal(ask(HEX, UID, "containerd"), 0);
	expect("", "trainer", "", "job-7-x", "ml");
	assert_int_equal(ask(OTHER, "", NULL), -ENOENT);
}

static void other_pods_state_is_not_believed(void **unused)
{
	(void)unused;
	write_file(TASKS "/k8s.io/" HEX "/config.json", cri);
	assert_int_equal(ask(HEX, "00000000-1111-2222-3333-444455556666", NULL), -ENOENT);
	expect("", "", "", "", "");
}

static void what_a_user_may_have_named_is_not_looked_up(void **unused)
{
	struct mw_cgroup cgroup = {.container = HEX, .container_trust = MW_CGROUP_DELEGATED};

	(void)unused;
	write_file(TASKS "/k8s.io/" HEX "/config.json", cri);
	assert_int_equal(mw_container_state(root, &cgroup, &state), -EPERM);
	cgroup.container_trust = MW_CGROUP_MOUNTS;
	assert_int_equal(mw_container_state(root, &cgroup, &state), -EPERM);
	/* A name that is no number leads nowhere else. */
	cgroup.container_trust = MW_CGROUP_HOST;
	strcpy(cgroup.container, "../k8s.io/" HEX);
	assert_int_equal(mw_container_state(root, &cgroup, &state), -ENOENT);
}

static void only_plain_files_of_root_are_read(void **unused)
{
	const char *file = DOCKER "/config.v2.json";
	const char good[] = "{\"Config\":{\"Image\":\"train:1\"}}";
	char target[512];

	(void)unused;
	write_file("/elsewhere", good);
	make_directories(file);
	snprintf(target, sizeof(target), "%s", path_of("/elsewhere"));
	assert_int_equal(symlink(target, path_of(file)), 0);
	assert_int_equal(ask(HEX, "", "docker"), -ENOENT);
	unlink(path_of(file));
	assert_int_equal(mkfifo(path_of(file), 0644), 0);
	assert_int_equal(ask(HEX, "", "docker"), -ENOENT);
	unlink(path_of(file));
	write_file(file, good);
	assert_int_equal(ask(HEX, "", "docker"), 0);
	chmod(path_of(file), 0666);
	assert_int_equal(ask(HEX, "", "docker"), -ENOENT);
	chmod(path_of(file), 0644);
	chmod(path_of("/var/lib/docker/containers"), 0777);
	assert_int_equal(ask(HEX, "", "docker"), -ENOENT);
	chmod(path_of("/var/lib/docker/containers"), 0755);
	if (!geteuid() && !chown(path_of(file), 65534, 65534))
		assert_int_equal(ask(HEX, "", "docker"), -ENOENT);
}

static void broken_and_huge_state_tells_nothing(void **unused)
{
	static const char *const broken[] = {"",
	                                     "{",
	                                     "[]",
	                                     "null",
	                                     "{\"Config\":[]}",
	                                     "{\"Config\":{\"Image\":7,\"Labels\":\"x\"}}"};
	char *huge = malloc((1 << 20) + 64);

	(void)unused;
	assert_non_null(huge);
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		write_file(DOCKER "/config.v2.json", broken[i]);
		assert_int_equal(ask(HEX, "", NULL), -ENOENT);
	}
	strcpy(huge, "{\"Config\":{\"Image\":\"train:1\"}}");
	memset(huge + strlen(huge), ' ', 1 << 20);
	huge[(1 << 20) + 40] = '\0';
	write_file(DOCKER "/config.v2.json", huge);
	assert_int_equal(ask(HEX, "", NULL), -ENOENT);
	free(huge);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
	        TEST(containerd_tells),
	        TEST(crio_tells),
	        TEST(docker_tells),
	        TEST(podman_tells),
	        TEST(logs_of_kubelet_tell),
	        TEST(other_pods_state_is_not_believed),
	        TEST(what_a_user_may_have_named_is_not_looked_up),
	        TEST(only_plain_files_of_root_are_read),
	        TEST(broken_and_huge_state_tells_nothing),
	};

	return cmocka_run_group_tests_name("container_state", tests, NULL, NULL);
}
