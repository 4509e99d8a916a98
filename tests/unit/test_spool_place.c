/* Where a spool may lie. */
#include "spool_of.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "../../courier/spool_place.h"

/* What the filesystem of every folder says it is; 0: the truth. */
static long pretended;

/* In the place of the C library's. */
int statfs(const char *path, struct statfs *ret)
{
	if (syscall(SYS_statfs, path, ret) < 0)
		return -1;
	if (pretended)
		ret->f_type = pretended;
	return 0;
}

static int try(struct spool_of *s, const char *path, char why[static 512])
{
	struct mw_spool_options options = s->options;
	struct mw_spool *spool = NULL;
	int error;

	options.path = path;
	why[0] = '\0';
	error = mw_spool_open(&options, &spool, why, 512);
	mw_spool_close(spool);
	assert_int_equal(error != 0, why[0] != '\0');
	return error;
}

static void refuses_a_network_filesystem(void **state)
{
	/* statfs(2), and the kernel's and the vendors' sources. */
	static const long network[] = {0x6969,     0x517b,     0xff534d42, 0xfe534d42, 0x65735546,
	                               0x01021997, 0x5346414f, 0x6b414653, 0x00c36400, 0x0bd00bd0,
	                               0x47504653, 0x19830326, 0x20030528, 0x01161970, 0x7461636f,
	                               0xaad7aaea, 0x73757245, 0x786f4256};
	/* ext4, XFS, Btrfs, tmpfs, overlay, ZFS, F2FS, ramfs, bcachefs */
	static const long local[] = {0xef53,     0x58465342, 0x9123683e, 0x01021994, 0x794c7630,
	                             0x2fc12fc1, 0xf2f52010, 0x858458f6, 0xca451a4e};
	struct spool_of *s = *state;
	char why[512];

	for (size_t i = 0; i < sizeof(network) / sizeof(*network); i++) {
		pretended = network[i];
		if (try(s, s->path, why) != -EREMOTE)
			fail_msg("%lx", network[i]);
		assert_non_null(strstr(why, "this machine"));
		/* On 32-bit machines f_type is signed. */
		assert_non_null(mw_place_network((uint64_t)(int64_t)(int32_t)network[i]));
	}
	for (size_t i = 0; i < sizeof(local) / sizeof(*local); i++) {
		pretended = local[i];
		assert_int_equal(try(s, s->path, why), 0);
	}
	pretended = 0;
}

static void path_of(const struct spool_of *s, const char *name, char ret[static PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s/%s", s->folder, name);
}

static void makes_its_folder_for_its_owner_alone(void **state)
{
	struct spool_of *s = *state;
	char path[PATH_MAX], why[512];
	struct stat st;
	mode_t mask = umask(0);

	path_of(s, "a/b/c/spool", path);
	assert_int_equal(try(s, path, why), 0);
	umask(mask);
	stat(path, &st);
	assert_int_equal(st.st_mode & 0777, 0600);
	path_of(s, "a/b/c", path);
	stat(path, &st);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void refuses_a_folder_that_others_write_to(void **state)
{
	struct spool_of *s = *state;
	char folder[PATH_MAX], path[PATH_MAX], why[512];

	path_of(s, "shared", folder);
	path_of(s, "shared/spool", path);
	mkdir(folder, 0700);
	chmod(folder, 0770);
	assert_int_equal(try(s, path, why), -EPERM);
	chmod(folder, 0707);
	assert_int_equal(try(s, path, why), -EPERM);
	chmod(folder, 01777);
	assert_int_equal(try(s, path, why), -EPERM);
	chmod(folder, 0755);
	assert_int_equal(try(s, path, why), 0);
	chmod(path, 0660);
	assert_int_equal(try(s, path, why), -EPERM);
}

static void refuses_what_is_somebody_elses(void **state)
{
	struct spool_of *s = *state;
	char folder[PATH_MAX], path[PATH_MAX], why[512];

	if (geteuid())
		skip();
	path_of(s, "theirs", folder);
	path_of(s, "theirs/spool", path);
	mkdir(folder, 0700);
	assert_int_equal(chown(folder, 65534, 65534), 0);
	assert_int_equal(try(s, path, why), -EPERM);
	assert_int_equal(chown(folder, 0, 0), 0);
	assert_int_equal(try(s, path, why), 0);
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(try(s, path, why), -EPERM);
}

static void follows_no_link(void **state)
{
	struct spool_of *s = *state;
	char folder[PATH_MAX], link_path[PATH_MAX], path[PATH_MAX], target[PATH_MAX], why[512];
	struct stat st;

	path_of(s, "real", folder);
	mkdir(folder, 0700);
	path_of(s, "link", link_path);
	assert_int_equal(symlink(folder, link_path), 0);
	path_of(s, "link/spool", path);
	assert_int_equal(try(s, path, why), -ELOOP);
	/* One above is somebody's way to arrange his folders. */
	path_of(s, "link/below/spool", path);
	assert_int_equal(try(s, path, why), 0);
	path_of(s, "real/target", target);
	path_of(s, "real/spool", path);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(try(s, path, why), -ELOOP);
	assert_int_equal(stat(target, &st), -1);
	unlink(path);
	/* Nor one in the place of the file that is locked. */
	path_of(s, "real/spool.guard", link_path);
	unlink(link_path);
	assert_int_equal(symlink(target, link_path), 0);
	assert_int_equal(try(s, path, why), -ELOOP);
	assert_int_equal(stat(target, &st), -1);
	unlink(link_path);
	/* A second name of a file is no better. */
	assert_int_equal(try(s, path, why), 0);
	assert_int_equal(link(path, target), 0);
	assert_int_equal(try(s, path, why), -EPERM);
}

static void refuses_other_paths(void **state)
{
	struct spool_of *s = *state;
	char path[PATH_MAX], why[512];

	assert_int_equal(try(s, "relative/spool", why), -EINVAL);
	assert_int_equal(try(s, "", why), -EINVAL);
	assert_int_equal(try(s, "/", why), -EINVAL);
	assert_int_equal(try(s, "/spool", why), -EINVAL);
	assert_int_equal(try(s, "/tmp/", why), -EINVAL);
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(try(s, path, why), -EINVAL);
	path_of(s, "folder/spool", path);
	*strrchr(path, '/') = '\0';
	mkdir(path, 0700);
	strcat(path, "/spool");
	mkdir(path, 0700);
	assert_int_equal(try(s, path, why), -EINVAL);
	assert_int_equal(try(s, "/proc/self/spool", why) < 0, 1);
}

static void knows_its_defaults(void **state)
{
	struct spool_of *s = *state;
	struct mw_spool_options options;
	char path[PATH_MAX], expected[PATH_MAX];

	assert_int_equal(mw_spool_defaults(&options, true, path), 0);
	assert_string_equal(path, "/var/lib/modelwatch/spool.db");
	assert_int_equal(mw_spool_defaults(&options, false, path), 0);
	path_of(s, "modelwatch/spool.db", expected);
	assert_string_equal(path, expected);
	unsetenv("XDG_STATE_HOME");
	unsetenv("HOME");
	assert_int_equal(mw_spool_defaults(&options, false, path), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, spool_setup, spool_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(refuses_a_network_filesystem),
	        TEST(makes_its_folder_for_its_owner_alone),
	        TEST(refuses_a_folder_that_others_write_to),
	        TEST(refuses_what_is_somebody_elses),
	        TEST(follows_no_link),
	        TEST(refuses_other_paths),
	        TEST(knows_its_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
