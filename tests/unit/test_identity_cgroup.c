/* One line for each way that a runtime, a batch system and systemd call control groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/cgroup.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define EVIL "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define UID "8b5c4f3e-1111-2222-3333-444455556666"
#define UID_ "8b5c4f3e_1111_2222_3333_444455556666"
#define HASH "0123456789abcdef0123456789abcdef"
#define BUILD "abcdefghijklmnopqrstuvwxy"
#define BURST "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice"
#define MANAGER "/user.slice/user-1000.slice/user@1000.service"

#define HOST MW_CGROUP_HOST
#define OWN MW_CGROUP_DELEGATED

static const struct {
	const char *text;
	const char *container, *runtime, *pod;
	const char *job, *step, *unit, *user_unit;
	enum mw_cgroup_trust trust, job_trust;
} groups[] = {
        {"0::/", .trust = 0},
        {"", .trust = 0},
        {"0::/init.scope", .unit = "init.scope"},
        {"0::/user.slice/user-0.slice/session-1.scope\n", .unit = "session-1.scope"},
        {"0::/system.slice/ssh.service", .unit = "ssh.service"},
        {"0::" MANAGER "/app.slice/app-org.gnome.Terminal.slice/vte-spawn-1.scope",
         .unit = "user@1000.service", .user_unit = "vte-spawn-1.scope"},

        /* docker */
        {"0::/system.slice/docker-" HEX ".scope\n", HEX, "docker", NULL, .trust = HOST},
        {"12:cpu:/docker/" HEX "\n11:memory:/docker/" HEX "\n", HEX, "docker", NULL, .trust = HOST},
        {"0::/docker/" HEX, HEX, "docker", NULL, .trust = HOST},
        {"0::/actions_job/" HEX, HEX, NULL, NULL, .trust = HOST},
        {"0::/docker/buildkit/" BUILD, BUILD, "buildkit", NULL, .trust = HOST},
        {"0::/buildkit/" BUILD, BUILD, "buildkit", NULL, .trust = HOST},
        {"0::/system.slice/docker-" BUILD ".scope", BUILD, "buildkit", NULL, .trust = HOST},
        {"0::/system.slice:docker:" HEX, HEX, "docker", NULL, .trust = HOST},
        {"0::" MANAGER "/app.slice/docker-" HEX ".scope", HEX, "docker", NULL, .trust = OWN,
         .unit = "user@1000.service"},

        /* Kubernetes */
        {"0::" BURST "/cri-containerd-" HEX ".scope", HEX, "containerd", UID, .trust = HOST},
        {"0::" BURST "/crio-" HEX ".scope", HEX, "cri-o", UID, .trust = HOST},
        {"0::" BURST "/crio-" HEX ".scope/container", HEX, "cri-o", UID, .trust = HOST},
        {"0::" BURST "/crio-conmon-" HEX ".scope", NULL, NULL, UID, .trust = HOST,
         .unit = "crio-conmon-" HEX ".scope"},
        {"0::" BURST "/docker-" HEX ".scope", HEX, "docker", UID, .trust = HOST},
        {"0::/kubepods.slice/kubepods-pod" UID_ ".slice/cri-containerd-" HEX ".scope", HEX,
         "containerd", UID, .trust = HOST},
        {"0::/kubepods.slice/kubepods-pod" HASH ".slice/cri-containerd-" HEX ".scope", HEX,
         "containerd", HASH, .trust = HOST},
        {"0::/kubepods/besteffort/pod" UID "/" HEX "\n", HEX, NULL, UID, .trust = HOST},
        {"0::/kubepods/burstable/pod" UID "/" HEX "\n", HEX, NULL, UID, .trust = HOST},
        {"0::/kubepods/pod" HASH "/" HEX "\n", HEX, NULL, HASH, .trust = HOST},
        {"11:memory:/kubepods/pod" UID "/crio-" HEX "\n", HEX, "cri-o", UID, .trust = HOST},
        {"0::/kubepods-burstable-pod" UID_ ".slice:cri-containerd:" HEX, HEX, "containerd", UID,
         .trust = HOST},
        {"0::/system.slice/containerd.service/kubepods-burstable-pod" UID_
         ".slice:cri-containerd:" HEX,
         HEX, "containerd", UID, .trust = HOST, .unit = "containerd.service"},
        {"0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/"
         "kubelet-kubepods-besteffort-pod" UID_ ".slice/cri-containerd-" HEX ".scope",
         HEX, "containerd", UID, .trust = HOST},
        {"0::/../../kubepods-burstable-pod" UID_ ".slice/cri-containerd-" HEX ".scope", HEX,
         "containerd", UID, .trust = HOST},
        {"0::/../pod" UID "/" HEX, HEX, NULL, UID, .trust = HOST},
        {"0::/k8s.io/" HEX, HEX, "containerd", NULL, .trust = HOST},

        /* podman and others */
        {"0::/machine.slice/libpod-" HEX ".scope/container\n", HEX, "podman", NULL, .trust = HOST},
        {"0::/machine.slice/machine-libpod_pod_" EVIL ".slice/libpod-" HEX ".scope", HEX, "podman",
         NULL, .trust = HOST},
        {"0::/machine.slice/libpod-conmon-" HEX ".scope", .unit = "libpod-conmon-" HEX ".scope"},
        {"9:pids:/libpod_parent/libpod-" HEX "/ctr", HEX, "podman", NULL, .trust = HOST},
        {"9:pids:/libpod_parent/" EVIL "/libpod-" HEX, HEX, "podman", NULL, .trust = HOST},
        {"0::" MANAGER "/user.slice/libpod-" HEX ".scope/container", HEX, "podman", NULL,
         .trust = OWN, .unit = "user@1000.service"},
        {"0::/system.slice/nerdctl-" HEX ".scope", HEX, "containerd", NULL, .trust = HOST},
        {"0::/default/" HEX, HEX, NULL, NULL, .trust = HOST},
        {"0::/system.slice/runc-" HEX ".scope", HEX, NULL, NULL, .trust = HOST},
        {"0::/lxc.payload.web1/system.slice/nginx.service", "web1", "lxc", NULL, .trust = HOST},
        {"4:memory:/lxc/web1", "web1", "lxc", NULL, .trust = HOST},
        {"0::/lxc.payload/web1", "web1", "lxc", NULL, .trust = HOST},
        {"0::/lxc.monitor.web1", .trust = 0},
        {"0::/machine.slice/machine-deb\\x2d12.scope/payload/init.scope", "deb-12", "nspawn", NULL,
         .trust = HOST},
        {"0::/machine.slice/systemd-nspawn@deb12.service/payload/system.slice/a.service", "deb12",
         "nspawn", NULL, .trust = HOST},
        {"0::/machine.slice/machine-lxc\\x2d123\\x2dweb.scope", "web", "lxc", NULL, .trust = HOST},
        {"0::/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator",
         .unit = "machine-qemu\\x2d1\\x2dvm.scope"},
        {"3:cpu:/garden/1a2b3c4d-aaaa-bbbb-cccc-dddd", "1a2b3c4d-aaaa-bbbb-cccc-dddd", "garden",
         NULL, .trust = HOST},
        {"3:cpu:/garden-0/good/1a2b3c4d-aaaa", "1a2b3c4d-aaaa", "garden", NULL, .trust = HOST},
        {"3:cpu:/ecs/" HASH "/" HEX, HEX, "docker", NULL, .trust = HOST},
        {"3:cpu:/ecs/" HASH "/" HASH "-4055511", HASH "-4055511", "containerd", NULL,
         .trust = HOST},

        /* Slurm */
        {"0::/system.slice/slurmstepd.scope/job_4711/step_0/user/task_0\n", .job = "4711",
         .step = "0", .unit = "slurmstepd.scope", .job_trust = HOST},
        {"0::/system.slice/node7_slurmstepd.scope/job_4711/step_batch/slurm", .job = "4711",
         .step = "batch", .unit = "node7_slurmstepd.scope", .job_trust = HOST},
        {"3:memory:/slurm/uid_1000/job_12/step_batch\n", .job = "12", .step = "batch",
         .job_trust = HOST},
        {"3:memory:/slurm_node7/uid_1000/job_12/step_extern/task_1\n", .job = "12",
         .step = "extern", .job_trust = HOST},
        {"0::/system.slice/slurmstepd.scope/system", .unit = "slurmstepd.scope"},
        {"4:freezer:/slurm/uid_1/job_5\n3:memory:/slurm/uid_1/job_5/step_2", .job = "5",
         .step = "2", .job_trust = HOST},
        {"0::/slurm/uid_1/job_5/step_1/docker/" HEX, HEX, "docker", NULL, .trust = HOST, .job = "5",
         .step = "1", .job_trust = HOST},
        {"0::/job_1\n", .trust = 0},
        {"0::/slurm/x/job_1\n", .trust = 0},

        /* The hierarchies of version 1, and both versions at once. */
        {"9:name=systemd:/system.slice/a.service\n4:memory:/docker/" HEX "\n0::/\n", HEX, "docker",
         NULL, .trust = HOST, .unit = "a.service"},
        {"9:name=systemd:/\n4:memory:/process_api/" HASH "\n0::/\n", .trust = 0},
        {"1:name=systemd:/system.slice/b.service\n0::/system.slice/a.service\n",
         .unit = "a.service"},

        /* Made by the process: what lies outside goes first. */
        {"0::/system.slice/docker-" HEX ".scope/kubepods/pod" UID "/" EVIL, HEX, "docker", NULL,
         .trust = HOST},
        {"0::/docker/" HEX "/docker/" EVIL, HEX, "docker", NULL, .trust = HOST},
        {"0::" BURST "/cri-containerd-" HEX ".scope/system.slice/ssh.service", HEX, "containerd",
         UID, .trust = HOST},
        {"0::" BURST "/cri-containerd-" HEX ".scope/system.slice/slurmstepd.scope/job_3/step_0",
         HEX, "containerd", UID, .trust = HOST, .job = "3", .step = "0", .job_trust = OWN},
        {"0::" MANAGER "/slurm/job_1/step_0", .job = "1", .step = "0", .job_trust = OWN,
         .unit = "user@1000.service"},
        {"0::/slurm/job_1/docker/" HEX "/slurm/job_2/step_9", HEX, "docker", NULL, .trust = HOST,
         .job = "1", .job_trust = HOST},
        {"0::" MANAGER "/kubepods/pod" UID "/" EVIL, EVIL, NULL, UID, .trust = OWN,
         .unit = "user@1000.service"},
        {"0::/system.slice/job.service/ssh.service/docker-" EVIL ".scope", EVIL, "docker", NULL,
         .trust = OWN, .unit = "job.service"},
        {"0::" MANAGER "/docker.service/docker/" EVIL, EVIL, "docker", NULL, .trust = OWN,
         .unit = "user@1000.service", .user_unit = "docker.service"},
        {"0::" MANAGER "/docker-" EVIL ".scope\n4:memory:/docker/" HEX, HEX, "docker", NULL,
         .trust = HOST, .unit = "user@1000.service"},
        {"0::/pod" UID "/a", .trust = 0},
        {"0::/system.slice/docker-" HEX "0.scope", .unit = "docker-" HEX "0.scope"},
};

static const char *text_of(const char *s)
{
	return s ? s : "";
}

static void check(size_t i)
{
	struct mw_cgroup c;

	mw_cgroup_parse(groups[i].text, &c);
	assert_string_equal(c.container, text_of(groups[i].container));
	assert_string_equal(text_of(c.runtime), text_of(groups[i].runtime));
	assert_string_equal(c.pod, text_of(groups[i].pod));
	assert_int_equal(c.container_trust, groups[i].trust);
	assert_string_equal(c.job, text_of(groups[i].job));
	assert_string_equal(c.step, text_of(groups[i].step));
	assert_int_equal(c.job_trust, groups[i].job_trust);
	assert_string_equal(c.unit, text_of(groups[i].unit));
	assert_string_equal(c.user_unit, text_of(groups[i].user_unit));
}

static void paths_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		check(i);
}

static void names_have_bounds(void **state)
{
	char text[700] = "0::/system.slice/";
	struct mw_cgroup c;

	(void)state;
	memset(text + strlen(text), 'a', 400);
	strcat(text, ".service");
	mw_cgroup_parse(text, &c);
	assert_string_equal(c.unit, "");
	snprintf(text, sizeof(text), "0::/lxc.payload.%0100d", 1);
	mw_cgroup_parse(text, &c);
	assert_string_equal(c.container, "");
	assert_int_equal(c.container_trust, MW_CGROUP_NOTHING);
}

static void mounts_tell_what_the_path_does_not(void **state)
{
	struct mw_cgroup c;

	(void)state;
	mw_cgroup_parse("0::/\n", &c);
	mw_cgroup_mounts("1 2 8:1 /var/lib/docker/containers/" HEX "/mounts/shm /dev/shm rw\n"
	                 "3 2 8:1 /kubelet/pods/" UID "/etc-hosts /etc/hosts rw\n",
	                 &c);
	assert_string_equal(c.container, "");
	assert_string_equal(c.pod, UID);
	assert_int_equal(c.container_trust, MW_CGROUP_MOUNTS);
	mw_cgroup_mounts("3 2 8:1 /docker/containers/" HEX "/hostname /etc/hostname rw\n", &c);
	assert_string_equal(c.container, HEX);
	assert_string_equal(c.runtime, "docker");

	mw_cgroup_parse("0::/docker/" HEX, &c);
	mw_cgroup_mounts("3 2 8:1 /kubelet/pods/" UID "/etc-hosts /etc/hosts rw\n", &c);
	assert_string_equal(c.pod, "");
	assert_int_equal(c.container_trust, MW_CGROUP_HOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(paths_are_read),
	        cmocka_unit_test(names_have_bounds),
	        cmocka_unit_test(mounts_tell_what_the_path_does_not),
	};

	return cmocka_run_group_tests_name("identity_cgroup", tests, NULL, NULL);
}
