/* Records as monitors make them, and what renders them. */
#ifndef TEST_FORMAT_RECORD_H
#define TEST_FORMAT_RECORD_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "../../courier/format.h"

static const char alert_text[] =
        "{\"schema\":\"modelwatch.alert/1\",\"id\":\"01a20955-c65f-733b-a1ea-34009747f4b2\","
        "\"update\":0,\"time\":\"2026-11-23T16:55:46.015960535Z\",\"rule\":\"load-exec\","
        "\"title\":\"/data/m.pt tried to run `sh -c id` (posix.system at byte 258): prevented\","
        "\"severity\":\"critical\",\"effect\":{\"class\":\"exec\",\"detail\":{\"op\":\"os.system\","
        "\"path\":\"/bin/sh\",\"executable\":\"/usr/bin/dash\",\"executable_owner\":0,"
        "\"argv\":[\"sh\",\"-c\",\"id\"],\"argv_cut\":false,\"facts\":[\"called\"]}},"
        "\"verdict\":\"deny\",\"requested\":\"deny\",\"mode\":\"deny\",\"outcome\":\"prevented\","
        "\"sensor\":\"python\",\"seen_by\":[\"python\",\"libc\"],\"evasion\":false,"
        "\"cause\":\"call\",\"load\":{\"id\":\"89b60cad050eef75\",\"entry\":\"torch.load\","
        "\"origin\":\"file\",\"artifact\":{\"path\":\"/data/m.pt\",\"member\":\"m/data.pkl\","
        "\"size\":39344,"
        "\"sha256\":\"ce65e6d63eecdc0a79d79425dffc780e0f43c435bc84faba2f3f7b1a44bfd0fb\","
        "\"digest_state\":\"done\","
        "\"stream_sha256\":\"2fec245da2a09f0bfbf7ea89499d8cd695118ab1fccaded61ab37dafe9652cc1\","
        "\"model\":{\"hub\":\"huggingface\",\"repo\":\"a/b\",\"revision\":\"c0ffee\"}},"
        "\"call\":\"posix.system\",\"args\":\"('id',)\",\"opcode\":\"REDUCE\",\"offset\":258,"
        "\"offset_range\":null,\"nested\":false,\"after_load\":false},\"python_stack\":["
        "{\"function\":\"main\",\"file\":\"/data/train.py\",\"line\":3,\"inside\":false}],"
        "\"native_stack\":[{\"symbol\":\"os_system\",\"object\":\"/usr/lib/libpython3.11.so\","
        "\"offset\":2905262}],\"process\":{\"pid\":28618,\"ns_pid\":7,\"tid\":28619,"
        "\"start_time\":\"2026-11-23T16:55:44.80Z\",\"comm\":\"python\","
        "\"exe\":\"/usr/bin/python3.11\",\"argv\":[\"python\",\"train.py\"],\"cwd\":\"/data\","
        "\"unit\":\"job.service\",\"user_unit\":null,\"ancestors\":[{\"pid\":871,\"comm\":\"bash\","
        "\"exe\":\"/usr/bin/bash\",\"argv0\":\"-bash\"}]},\"user\":{\"uid\":1000,\"name\":\"ada\","
        "\"groups\":[1000],\"loginuid\":1000},\"job\":{\"kind\":\"slurm\",\"id\":\"17\","
        "\"step\":\"0\",\"rank\":1,\"trust\":\"cgroup\"},\"container\":{\"id\":\"4f1e\","
        "\"runtime\":\"containerd\",\"name\":\"train\",\"image\":\"r.example/t:1\",\"pod\":"
        "{\"namespace\":\"ml\",\"name\":\"t-0\",\"uid\":\"9a\"},\"trust\":\"cgroup\"},"
        "\"host\":{\"name\":\"gpu-17\",\"boot_id\":\"0b6f2c1e-5a4d-4c1b-9f0e-2d7a8c3e9b55\","
        "\"kernel\":\"6.12.0\"},\"policy\":{\"digest\":\"ad92\",\"rule\":\"load-exec\","
        "\"expired\":null},\"version\":\"0.1.0\",\"labels\":{\"team\":\"vision\",\"a.b\":\"c\"},"
        "\"count\":1,\"reporter\":null,\"reports\":[]}";

static const char loss_text[] =
        "{\"schema\":\"modelwatch.loss/1\",\"id\":\"01a20955-c65f-733b-a1ea-34009747f4b3\","
        "\"time\":\"2026-11-23T16:55:46.015960535Z\",\"lost\":3,\"reason\":\"No space left on "
        "device\",\"version\":\"0.1.0\"}";

static const char heartbeat_text[] =
        "{\"schema\":\"modelwatch.heartbeat/1\",\"id\":\"01a20955-c65f-733b-a1ea-34009747f4b4\","
        "\"time\":\"2026-11-23T16:55:46.015960535Z\",\"version\":\"0.1.0\",\"state\":\"running\","
        "\"uptime\":3.5,\"mode\":\"deny\",\"asked_mode\":\"deny\",\"policy_digest\":\"ad92\","
        "\"host\":{\"name\":\"gpu-17\",\"boot_id\":\"0b6f2c1e-5a4d-4c1b-9f0e-2d7a8c3e9b55\","
        "\"kernel\":\"6.12.0\"},\"rung\":{\"exec\":\"lsm\",\"bpf\":null},"
        "\"losses\":{\"ring\":0},\"loads\":17}";

static inline int render_record(const json_t *record, enum mw_format format, enum mw_ocsf ocsf,
                                size_t max, char **ret, size_t *ret_len)
{
	const struct mw_emission emission = {
	        .uid = "01a20955-c65f-7abc-8000-000000000007", .sequence = 42, .record = record};
	const struct mw_format_options options = {.format = format, .ocsf = ocsf, .max = max};

	return mw_format_render(&emission, &options, ret, ret_len);
}

#endif
