/* Which paths are secrets: the built-in list, lists of one's own, exceptions, and links. */
#include <pwd.h>
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

#include "../../core/secret.h"
#include "policy_of.h"

static char home[] = "/tmp/test_secret.XXXXXX";
static char error[300];
static struct mw_policy *image;
static size_t size;

/* A path below the home directory; good until the next call. */
static const char *below(const char *name)
{
	static char path[200];

	snprintf(path, sizeof(path), "%s/%s", home, name);
	return path;
}

static int compile(const char *text)
{
	char path[200];
	FILE *f;

	free(image);
	if (!text)
		return policy_of_run(NULL, json_object(), &image, &size, error);
	snprintf(path, sizeof(path), "%s", below("policy.yaml"));
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return policy_of_run(path, json_object(), &image, &size, error);
}

static void is(const char *path, bool secret)
{
	char text[200];

	if (*path == '~')
		snprintf(text, sizeof(text), "%s%s", home, path + 1);
	else
		snprintf(text, sizeof(text), "%s", path);
	if (mw_is_secret(image, text) != secret)
		fail_msg("%s: %s", text, secret ? "no secret" : "a secret");
}

static void the_list_that_is_built_in(void **state)
{
	static const char *const secrets[] = {
	        "~/.ssh/id_rsa",
	        "~/.ssh/work/key",
	        "~/.ssh/deploy.pem",
	        "~/.aws/credentials",
	        "~/.config/gcloud/application_default_credentials.json",
	        "~/.config/gcloud/access_tokens.db",
	        "~/.config/gcloud/legacy_credentials/me@example.org/adc.json",
	        "~/.azure/msal_token_cache.json",
	        "~/.kube/config",
	        "/etc/kubernetes/admin.conf",
	        "/run/secrets/kubernetes.io/serviceaccount/..2026_11_23/token",
	        "/run/secrets/database_password",
	        "~/.docker/config.json",
	        "~/.netrc",
	        "~/.git-credentials",
	        "~/.pypirc",
	        "~/.npmrc",
	        "~/.cache/huggingface/token",
	        "/scratch/me/huggingface/stored_tokens",
	        "~/.huggingface/token",
	        "~/.kaggle/kaggle.json",
	        "~/.gnupg/private-keys-v1.d/0A.key",
	        "~/.config/gh/hosts.yml",
	        "~/.pgpass",
	        "~/.my.cnf",
	        "~/.bash_history",
	        "~/.config/google-chrome/Default/Login Data",
	        "/etc/shadow",
	        "/etc/gshadow-",
	        "/proc/1/environ",
	        "/proc/12/task/34/environ",
	        "/host/proc/1/environ",
	        "/proc/1/mem",
	};
	static const char *const others[] = {
	        "",
	        "/",
	        "~",
	        "~/.ssh",
	        "~/.ssh/config",
	        "~/.ssh/known_hosts",
	        "~/.ssh/known_hosts.old",
	        "~/.ssh/id_rsa.pub",
	        "~/.aws/config",
	        "~/.config/gcloud/configurations/config_default",
	        "~/.config/matplotlib/matplotlibrc",
	        "~/.config/wandb/settings",
	        "~/.cache/huggingface/hub/models--a--b/snapshots/c/tokenizer.json",
	        "~/.cache/huggingface/token/x",
	        "~/.bashrc",
	        "~/.gitconfig",
	        "/run/secrets/kubernetes.io/serviceaccount/..2026_11_23/ca.crt",
	        "/run/secrets/kubernetes.io/serviceaccount/..2026_11_23/namespace",
	        "/etc/passwd",
	        "/etc/kubernetes/pki/ca.crt",
	        "/etc/ssl/certs/ca-certificates.crt",
	        "/proc/1/maps",
	        "/proc/1/status",
	        "/proc/meminfo",
	        "/usr/lib/python3/dist-packages/pkg/environ",
	        "/home/somebody/.netrc",
	};

	(void)state;
	assert_int_equal(compile(NULL), 0);
	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
		is(secrets[i], true);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		is(others[i], false);
}

static void home_is_where_the_password_file_says_too(void **state)
{
	const struct passwd *user = getpwuid(getuid());
	char path[300];

	(void)state;
	if (!user || user->pw_dir[0] != '/' || !user->pw_dir[1]) {
		skip();
		return; /* skip() does not, but nothing tells compilers */
	}
	assert_int_equal(compile(NULL), 0);
	snprintf(path, sizeof(path), "%.200s/.ssh/id_rsa", user->pw_dir);
	is(path, true);
	strcat(path, ".pub");
	is(path, false);
}

static void lists_add_up(void **state)
{
	(void)state;
	assert_int_equal(
	        compile("version: 1\n"
	                "secrets: ['/srv/keys/**', '!/srv/keys/public/*', '!{home}/.pgpass',\n"
	                "          '{home}/a b\\?']\n"),
	        0);
	assert_int_equal(mw_policy_check(image, size), 0);
	is("/srv/keys/a/b", true);
	is("/srv/keys/public/b", false);
	is("~/.pgpass", false);
	is("~/.netrc", true);
	assert_int_equal(compile("version: 1\nsecrets: /srv/key\n"), 0);
	is("/srv/key", true);
	is("/srv/keys", false);
	is("/srv/ke", false);
	assert_int_equal(compile("version: 1\nsecrets: ['/srv/*', '/opt/*x', '/a b/?c']\n"), 0);
	is("/srv/ab*", true);
	is("/opt/*abx", true);
	is("/opt/*ab", false);
	is("/a b/ c", true);
	is("/a b/dd", false);
}

static void links_are_followed(void **state)
{
	char real[200], link[200];

	(void)state;
	snprintf(real, sizeof(real), "%s", below("dotfiles"));
	mkdir(real, 0700);
	snprintf(link, sizeof(link), "%s", below(".kube"));
	assert_int_equal(symlink(real, link), 0);
	snprintf(link, sizeof(link), "%s", below(".zz_history"));
	assert_int_equal(symlink("/dev/null", link), 0);
	snprintf(real, sizeof(real), "%s", below("history.txt"));
	fclose(fopen(real, "w"));
	snprintf(link, sizeof(link), "%s", below(".yy_history"));
	assert_int_equal(symlink(real, link), 0);
	assert_int_equal(compile(NULL), 0);
	is("~/dotfiles/config", true);
	is("~/dotfiles/other", false);
	is("~/history.txt", true);
	is("/dev/null", false);
	unlink(link);
	unlink(real);
	unlink(below(".zz_history"));
	unlink(below(".kube"));
	rmdir(below("dotfiles"));
}

static void what_is_wrong_is_said(void **state)
{
	(void)state;
	assert_true(compile("version: 1\nsecrets: id_rsa\n") < 0);
	assert_non_null(strstr(error, "policy.yaml:2:10: secrets: a path starts with '/'"));
	assert_true(compile("version: 1\nsecrets: []\n") < 0);
	assert_true(compile("version: 1\nsecrets: {a: b}\n") < 0);
	assert_true(compile("version: 1\nsecrets: '!'\n") < 0);
	assert_true(compile("version: 1\nsecrets: '{nowhere}/x'\n") < 0);
	assert_true(compile("version: 1\nsecrets: /x\nsecrets: /y\n") < 0);
	assert_non_null(strstr(error, "'secrets' is there twice"));
}

static void an_image_without_an_end_is_not_read(void **state)
{
	(void)state;
	assert_int_equal(compile(NULL), 0);
	image->secrets = (uint32_t)size;
	assert_true(mw_policy_check(image, size) < 0);
	image->secrets = (uint32_t)size - 2;
	((char *)image)[size - 1] = ((char *)image)[size - 2] = 'x';
	assert_true(mw_policy_check(image, size) < 0);
	((char *)image)[size - 1] = ((char *)image)[size - 2] = '\0';
	image->secrets = 0;
	is("/etc/shadow", false);
}

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(home));
	return setenv("HOME", home, 1);
}

static int tear_down(void **state)
{
	(void)state;
	free(image);
	unlink(below("policy.yaml"));
	return rmdir(home);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_list_that_is_built_in),
	        cmocka_unit_test(home_is_where_the_password_file_says_too),
	        cmocka_unit_test(lists_add_up),
	        cmocka_unit_test(links_are_followed),
	        cmocka_unit_test(what_is_wrong_is_said),
	        cmocka_unit_test(an_image_without_an_end_is_not_read),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
