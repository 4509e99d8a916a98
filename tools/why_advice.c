/* What the owner of the job can do now. No text of the alert stands in a command here: somebody may
 * paste it into a shell. */
#include <string.h>

#include "fields.h"
#include "why.h"

static bool begins(const char *text, const char *word)
{
	return text && !strncmp(text, word, strlen(word));
}

static bool ends(const char *text, const char *word)
{
	size_t len = strlen(word);

	return text && strlen(text) >= len && !strcmp(text + strlen(text) - len, word);
}

static const char torch_advice[] =
        "  torch.load(PATH, weights_only=True) of PyTorch 2.6 or newer takes tensors and plain\n"
        "  data and runs no code of the file. Expect it to refuse this file, and do not work\n"
        "  around that.\n"
        "  Better: a safetensors file of the same model, which holds tensors and nothing else;\n"
        "  safetensors.torch.load_file(PATH) loads it.\n";
static const char pickle_advice[] =
        "  A pickle cannot be loaded without doing what it says: pickle, dill and cloudpickle\n"
        "  have no safe mode. Ask for the weights as safetensors, for data as JSON or Parquet;\n"
        "  a checkpoint of PyTorch can be tried with torch.load(PATH, weights_only=True).\n"
        "  `python -m pickletools PATH` lists what a pickle would do and does not do it.\n";

static const struct {
	const char *entry, *advice;
} safer[] = {
        {"torch.", torch_advice},
        {"numpy.",
         "  numpy.load(PATH, allow_pickle=False) takes arrays of numbers and runs no code of\n"
         "  the file. Arrays of objects cannot be had without; ask for safetensors or plain\n"
         "  arrays.\n"},
        {"joblib.",
         "  joblib has no safe mode. skops.io.load(PATH, trusted=[...]) of a file in the skops\n"
         "  format names the types it makes first; ONNX needs no Python objects. Weights alone\n"
         "  fit in safetensors or in arrays for numpy.load(PATH, allow_pickle=False).\n"},
        {"pandas.",
         "  pandas.read_pickle has no safe mode. Ask for Parquet or CSV: pandas.read_parquet,\n"
         "  pandas.read_csv. Weights alone fit in safetensors.\n"},
};

void mw_why_safer(const json_t *story, FILE *out)
{
	const char *entry = mw_field_text(story, "entry");
	const char *advice = pickle_advice;

	for (size_t i = 0; i < sizeof(safer) / sizeof(safer[0]); i++)
		if (begins(entry, safer[i].entry))
			advice = safer[i].advice;
	/* torch's archives keep their pickle under this name, whoever opens them. */
	if (ends(mw_field_text(story, "model.member"), "/data.pkl"))
		advice = torch_advice;
	fputs(advice, out);
}

/* Nobody is alarmed by what a rule only wants to have on record. */
static void only_recorded(FILE *out)
{
	fputs("  - The rule asks for this to be recorded, no more. If it surprises you, run the "
	      "job\n"
	      "    once under a policy that denies it.\n",
	      out);
}

/* What was read is to be replaced, and where. */
static const struct {
	const char *part, *advice;
} replaced[] = {
        {"/.ssh/", "a new key pair; take the old public key out of every authorized_keys"},
        {"/.aws/", "deactivate the access key in IAM, end the user's sessions"},
        {"/gcloud/", "`gcloud auth revoke`, and delete the keys of its service accounts"},
        {"/.azure/", "revoke the user's sessions, replace the secrets of service principals"},
        {"/huggingface/", "a new token at huggingface.co/settings/tokens; revoke the old one"},
        {"/.huggingface/", "a new token at huggingface.co/settings/tokens; revoke the old one"},
        {"/.netrc", "the passwords and keys in it: of wandb at wandb.ai/settings"},
        {"/.kube/", "the client certificates and tokens in it"},
        {"/secrets/", "the tokens and passwords that the container was given"},
        {"/.docker/", "log out of the registries in it, and replace their tokens"},
        {"/environ", "every key, token and password that is in the job's environment"},
        {"/mem", "every key, token and password that the process had in memory"},
        {"/etc/shadow", "the passwords of the machine's users, the weak ones first"},
        {"_history", "every key, token and password that was ever typed there"},
};

static void replace(const json_t *story, FILE *out)
{
	const char *path = mw_field_text(story, "target");
	const char *advice = "the keys, tokens and passwords that the file holds";

	for (size_t i = 0; path && i < sizeof(replaced) / sizeof(replaced[0]); i++)
		if (strstr(path, replaced[i].part)) {
			advice = replaced[i].advice;
			break;
		}
	fprintf(out,
	        "  - The secret file was opened: its author may know what is in it. Replace "
	        "first:\n"
	        "    %s.\n",
	        advice);
}

static void contain(FILE *out)
{
	fputs("  - Treat the machine, and every key, token and file that the user could reach "
	      "from\n"
	      "    it, as exposed to the author of the file. End the job; replace those keys.\n"
	      "  - Run it next under `modelwatch run --mode=deny`.\n",
	      out);
}

static void digests(const json_t *story, FILE *out)
{
	const char *file = mw_field_text(story, "model.sha256");
	const char *stream = mw_field_text(story, "model.stream_sha256");

	if (file)
		fprintf(out, "    The file's SHA-256: %s\n", file);
	if (stream && (!file || strcmp(file, stream) != 0))
		fprintf(out, "    Its pickle's, the same in other archives: %s\n", stream);
}

static void on_limit(FILE *out)
{
	fputs("  - If you know the file and it may take that much, let it through: `modelwatch\n"
	      "    policy allow` proposes a rule for this file alone, `limits:` of the policy are\n"
	      "    for all loads. Else it is made to take the job down: do not use it.\n",
	      out);
}

void mw_why_next(const struct mw_entry *alert, const json_t *story, FILE *out)
{
	if (begins(mw_field_text(story, "class"), "limit")) {
		on_limit(out);
	} else if (alert->outcome == MW_OBSERVED && !alert->deny_would_stop &&
	           !strcmp(mw_field_text(alert->json, "requested"), "observe")) {
		only_recorded(out);
	} else {
		if (alert->outcome != MW_PREVENTED && begins(mw_field_text(story, "class"), "read"))
			replace(story, out);
		if (alert->outcome != MW_PREVENTED)
			contain(out);
		fputs("  - Do not use this file, and do not retry it unwatched.\n"
		      "  - Keep it as it is, as evidence, where nothing loads it.\n",
		      out);
	}
	fputs("  - `modelwatch report` of the alerts shows what else happened, and to whom.\n",
	      out);
	digests(story, out);
}

void mw_why_tell(const json_t *story, FILE *out)
{
	const char *repo = mw_field_text(story, "model.repo");
	const char *hub = mw_field_text(story, "model.hub");
	const char *revision = mw_field_text(story, "model.revision");
	const char *user = mw_field_text(story, "user.name");

	fputs("  - Your security team: give them the alert's ID and these digests.\n", out);
	if (repo)
		fprintf(out, "  - The publisher, %s on %s%s%s, and the hub itself.\n", repo,
		        hub ? hub : "its hub", revision ? ", revision " : "",
		        revision ? revision : "");
	else
		fputs("  - Whoever published the file or gave it to you.\n", out);
	if (user)
		fprintf(out, "  - The owner of the job, %s, if that is not you.\n", user);
}
