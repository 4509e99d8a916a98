#include "redact_rules.h"

/* Sources, by the short names used below.
 *   gitleaks   github.com/gitleaks/gitleaks, config/gitleaks.toml
 *   github     docs.github.com, "Supported secret scanning patterns"
 * The least lengths are below the real ones on purpose: what was cut is still most of a key. They
 * are as long as it takes to be no identifier. */
#define HEX MW_BODY_HEX
#define UPPER MW_BODY_UPPER
#define ALNUM MW_BODY_ALNUM
#define WORD MW_BODY_WORD
#define DOTTED MW_BODY_DOTTED
#define BASE64 MW_BODY_BASE64
#define PATH MW_BODY_PATH

#define ANY MW_NEED_NOTHING
#define EXACT MW_NEED_EXACT
#define DIGIT MW_NEED_DIGIT
#define DOT MW_NEED_DOT
#define MIXED MW_NEED_MIXED

#define KEEP true

const struct mw_secret_prefix mw_secret_prefixes[] = {
        /* Google OAuth refresh token; developers.google.com/identity/protocols/oauth2 */
        {"1//0", WORD, 30, DIGIT, false, "google-token"},
        /* AWS: docs.aws.amazon.com/IAM, "Unique ID prefixes". The id alone opens nothing, but it
         * names the account. ABSK is a Bedrock key (gitleaks). */
        {"ABIA", UPPER, 16, EXACT, false, "aws-key-id"},
        {"ABSK", BASE64, 60, ANY, false, "aws-key"},
        {"ACCA", UPPER, 16, EXACT, false, "aws-key-id"},
        {"AGE-SECRET-KEY-1", UPPER, 40, ANY, false, "private-key"}, /* age-encryption.org/v1 */
        {"AIza", WORD, 30, ANY, false, "google-key"},       /* cloud.google.com/docs, "API keys" */
        {"AKCp", ALNUM, 50, ANY, false, "artifactory-key"}, /* gitleaks */
        {"AKIA", UPPER, 16, EXACT, false, "aws-key-id"},
        {"ASIA", UPPER, 16, EXACT, false, "aws-key-id"},
        {"ATATT3", WORD, 40, ANY, false, "atlassian-token"}, /* gitleaks */
        /* RFC 7617 and RFC 6750, without the header's name */
        {"Basic ", BASE64, 12, MIXED, KEEP, "authorization"},
        {"Bearer ", DOTTED, 16, DIGIT, KEEP, "authorization"},
        {"GOCSPX-", WORD, 20, ANY, false, "google-key"}, /* client secret (github) */
        {"GR1348941", WORD, 16, ANY, false, "gitlab-token"},
        {"HRKU-", WORD, 36, ANY, false, "heroku-key"}, /* gitleaks */
        /* "-----BEGIN ... PRIVATE KEY" in base64, as in a kubeconfig */
        {"LS0tLS1CRUdJTiBEU0EgUFJJVkFURS", BASE64, 20, ANY, false, "private-key"},
        {"LS0tLS1CRUdJTiBFQyBQUklWQVRF", BASE64, 20, ANY, false, "private-key"},
        {"LS0tLS1CRUdJTiBFTkNSWVBURUQg", BASE64, 20, ANY, false, "private-key"},
        {"LS0tLS1CRUdJTiBPUEVOU1NIIFBSSVZBVEUg", BASE64, 20, ANY, false, "private-key"},
        {"LS0tLS1CRUdJTiBQUklWQVRF", BASE64, 20, ANY, false, "private-key"},
        {"LS0tLS1CRUdJTiBSU0EgUFJJVkFURS", BASE64, 20, ANY, false, "private-key"},
        {"NRAK-", ALNUM, 20, ANY, false, "newrelic-key"}, /* gitleaks */
        {"PMAK-", WORD, 40, ANY, false, "postman-key"},   /* gitleaks */
        {"SG.", DOTTED, 40, DOT, false, "sendgrid-key"},  /* gitleaks */
        {"SK", HEX, 32, EXACT, false, "twilio-key"}, /* twilio.com/docs/iam/api-keys: SK, 32 hex */
        {"api_org_", ALNUM, 20, ANY, false, "huggingface-token"}, /* gitleaks; deprecated */
        {"atlasv1.", WORD, 40, ANY, KEEP, "terraform-token"},     /* after 14 of an id (gitleaks) */
        {"basic ", BASE64, 12, MIXED, KEEP, "authorization"},
        {"bearer ", DOTTED, 16, DIGIT, KEEP, "authorization"},
        {"dapi", HEX, 32, ANY, false, "databricks-token"}, /* gitleaks */
        {"dckr_oat_", WORD, 20, ANY, false, "docker-token"},
        {"dckr_pat_", WORD, 20, ANY, false, "docker-token"}, /* github */
        /* discord.com/developers/docs/resources/webhook: id/token */
        {"discord.com/api/webhooks/", PATH, 40, ANY, KEEP, "webhook"},
        {"discordapp.com/api/webhooks/", PATH, 40, ANY, KEEP, "webhook"},
        /* docs.digitalocean.com/reference/api: personal, OAuth, refresh */
        {"doo_v1_", HEX, 32, ANY, false, "digitalocean-token"},
        {"dop_v1_", HEX, 32, ANY, false, "digitalocean-token"},
        {"dor_v1_", HEX, 32, ANY, false, "digitalocean-token"},
        {"dp.pt.", ALNUM, 32, ANY, false, "doppler-token"},     /* gitleaks */
        {"dt0c01.", DOTTED, 40, DOT, false, "dynatrace-token"}, /* gitleaks */
        {"eyJ", DOTTED, 20, DOT, false, "jwt"},                 /* RFC 7519: {" in base64url */
        {"fm2_", BASE64, 60, ANY, false, "fly-token"},          /* gitleaks */
        {"fo1_", WORD, 40, ANY, false, "fly-token"},            /* gitleaks */
        /* github.blog, "Behind GitHub's new authentication token formats" */
        {"gho_", ALNUM, 20, ANY, false, "github-token"},
        {"ghp_", ALNUM, 20, ANY, false, "github-token"},
        {"ghr_", ALNUM, 20, ANY, false, "github-token"},
        {"ghs_", DOTTED, 20, ANY, false, "github-token"}, /* the stateless ones hold a JWT */
        {"ghu_", DOTTED, 20, ANY, false, "github-token"},
        {"github_pat_", WORD, 20, ANY, false, "github-token"},
        /* docs.gitlab.com/security/tokens, "Token prefixes" */
        {"glagent-", DOTTED, 20, ANY, false, "gitlab-token"},
        {"glc_", BASE64, 32, ANY, false, "grafana-token"}, /* gitleaks */
        {"glcbt-", DOTTED, 16, ANY, false, "gitlab-token"},
        {"gldt-", DOTTED, 16, ANY, false, "gitlab-token"},
        {"glffct-", DOTTED, 16, ANY, false, "gitlab-token"},
        {"glft-", DOTTED, 16, ANY, false, "gitlab-token"},
        {"glimt-", DOTTED, 16, ANY, false, "gitlab-token"},
        {"gloas-", DOTTED, 16, ANY, false, "gitlab-token"},
        {"glpat-", DOTTED, 16, ANY, false, "gitlab-token"},
        {"glptt-", DOTTED, 16, ANY, false, "gitlab-token"},
        {"glrt-", DOTTED, 16, ANY, false, "gitlab-token"},
        {"glsa_", WORD, 32, ANY, false, "grafana-token"}, /* gitleaks */
        {"glsoat-", DOTTED, 16, ANY, false, "gitlab-token"},
        {"gsk_", ALNUM, 40, ANY, false, "groq-key"}, /* console.groq.com */
        /* huggingface.co/docs/hub/security-tokens; an OAuth token is a JWT behind its prefix */
        {"hf_jwt_", DOTTED, 20, ANY, false, "huggingface-token"},
        {"hf_oauth_", DOTTED, 20, ANY, false, "huggingface-token"},
        {"hf_", ALNUM, 20, ANY, false, "huggingface-token"},
        /* docs.slack.dev/messaging, "Incoming webhooks" */
        {"hooks.slack.com/services/", PATH, 20, ANY, KEEP, "webhook"},
        {"hooks.slack.com/triggers/", PATH, 20, ANY, KEEP, "webhook"},
        {"hooks.slack.com/workflows/", PATH, 20, ANY, KEEP, "webhook"},
        /* developer.hashicorp.com/vault/docs/concepts/tokens: batch, recovery, service */
        {"hvb.", WORD, 20, ANY, false, "vault-token"},
        {"hvr.", WORD, 20, ANY, false, "vault-token"},
        {"hvs.", WORD, 20, ANY, false, "vault-token"},
        {"lin_api_", ALNUM, 30, ANY, false, "linear-key"},              /* gitleaks */
        {"lsv2_pt_", WORD, 32, ANY, false, "langsmith-key"},            /* gitleaks */
        {"lsv2_sk_", WORD, 32, ANY, false, "langsmith-key"},            /* gitleaks */
        {"npm_", ALNUM, 30, ANY, false, "npm-token"},                   /* docs.npmjs.com */
        {"ntn_", ALNUM, 40, ANY, false, "notion-token"},                /* gitleaks */
        {"nvapi-", WORD, 30, ANY, false, "nvidia-key"},                 /* build.nvidia.com */
        {"pcsk_", WORD, 40, ANY, false, "pinecone-key"},                /* docs.pinecone.io */
        {"pnu_", ALNUM, 30, ANY, false, "prefect-key"},                 /* gitleaks */
        {"pplx-", ALNUM, 32, ANY, false, "perplexity-key"},             /* gitleaks */
        {"pscale_oauth_", DOTTED, 30, ANY, false, "planetscale-token"}, /* gitleaks */
        {"pscale_pw_", DOTTED, 30, ANY, false, "planetscale-token"},
        {"pscale_tkn_", DOTTED, 30, ANY, false, "planetscale-token"},
        {"pul-", HEX, 40, ANY, false, "pulumi-token"},     /* gitleaks */
        {"pypi-AgE", WORD, 40, ANY, false, "pypi-token"},  /* a macaroon (gitleaks) */
        {"r8_", ALNUM, 30, ANY, false, "replicate-token"}, /* replicate.com/docs */
        /* docs.stripe.com/keys: restricted, secret; whsec_ signs webhooks */
        {"rk_live_", ALNUM, 16, ANY, false, "stripe-key"},
        {"rk_test_", ALNUM, 16, ANY, false, "stripe-key"},
        {"rpa_", ALNUM, 32, ANY, false, "runpod-key"},        /* docs.runpod.io */
        {"rubygems_", HEX, 40, ANY, false, "rubygems-key"},   /* gitleaks */
        {"sb_secret_", WORD, 20, ANY, false, "supabase-key"}, /* supabase.com/docs, "API keys" */
        {"sbp_", HEX, 40, ANY, false, "supabase-key"},
        {"secret_", ALNUM, 40, ANY, false, "notion-token"},
        {"sha256~", WORD, 40, ANY, false, "openshift-token"}, /* gitleaks; a digest has a colon */
        {"shpat_", HEX, 32, ANY, false, "shopify-token"},     /* gitleaks */
        {"shpca_", HEX, 32, ANY, false, "shopify-token"},
        {"shppa_", HEX, 32, ANY, false, "shopify-token"},
        {"shpss_", HEX, 32, ANY, false, "shopify-token"},
        /* gitleaks; docs.anthropic.com, platform.openai.com, openrouter.ai, langfuse.com */
        {"sk-admin-", WORD, 16, ANY, false, "openai-key"},
        {"sk-ant-", WORD, 16, ANY, false, "anthropic-key"},
        {"sk-lf-", WORD, 16, DIGIT, false, "langfuse-key"},
        {"sk-or-v1-", WORD, 16, ANY, false, "openrouter-key"},
        {"sk-proj-", WORD, 16, ANY, false, "openai-key"},
        {"sk-svcacct-", WORD, 16, ANY, false, "openai-key"},
        {"sk-", ALNUM, 20, DIGIT, false, "openai-key"}, /* also DeepSeek and others */
        {"sk_live_", ALNUM, 16, ANY, false, "stripe-key"},
        {"sk_test_", ALNUM, 16, ANY, false, "stripe-key"},
        {"sntrys_", BASE64, 40, ANY, false, "sentry-token"}, /* gitleaks */
        {"sntryu_", HEX, 40, ANY, false, "sentry-token"},
        {"sq0atp-", WORD, 20, ANY, false, "square-token"}, /* gitleaks */
        {"sq0csp-", WORD, 20, ANY, false, "square-token"},
        {"tgp_v1_", WORD, 30, ANY, false, "together-key"}, /* docs.together.ai */
        /* docs.wandb.ai, since client 0.22.3; before, 40 hex digits that only a name betrays */
        {"wandb_v1_", WORD, 20, ANY, false, "wandb-key"},
        {"webhook.office.com/webhookb2/", PATH, 40, ANY, KEEP, "webhook"},
        {"whsec_", BASE64, 24, ANY, false, "stripe-key"},
        {"xai-", ALNUM, 40, ANY, false, "xai-key"}, /* docs.x.ai */
        /* docs.slack.dev/authentication/tokens */
        {"xapp-", WORD, 16, DIGIT, false, "slack-token"},
        {"xoxa-", WORD, 10, DIGIT, false, "slack-token"},
        {"xoxb-", WORD, 10, DIGIT, false, "slack-token"},
        {"xoxc-", WORD, 10, DIGIT, false, "slack-token"},
        {"xoxd-", WORD, 10, DIGIT, false, "slack-token"},
        {"xoxe-", WORD, 10, DIGIT, false, "slack-token"},
        {"xoxe.xox", WORD, 16, DIGIT, false, "slack-token"},
        {"xoxo-", WORD, 10, DIGIT, false, "slack-token"},
        {"xoxp-", WORD, 10, DIGIT, false, "slack-token"},
        {"xoxr-", WORD, 10, DIGIT, false, "slack-token"},
        {"xoxs-", WORD, 10, DIGIT, false, "slack-token"},
        {"ya29.", WORD, 20, ANY, false, "google-token"}, /* OAuth access token (github) */
};
const size_t mw_secret_prefix_count = sizeof(mw_secret_prefixes) / sizeof(*mw_secret_prefixes);

#define NAME(s) s, sizeof(s) - 1
#define END MW_PLACE_END
#define LAST MW_PLACE_WORD
#define QUERY MW_PLACE_QUERY

/* The first row that fits counts. */
const struct mw_secret_name mw_secret_names[] = {
        {NAME("password"), END, MW_VALUE_ANY, "password"},
        {NAME("passwd"), END, MW_VALUE_ANY, "password"},
        {NAME("passphrase"), END, MW_VALUE_ANY, "password"},
        {NAME("pswd"), END, MW_VALUE_ANY, "password"},
        {NAME("pwd"), END, MW_VALUE_PLAIN, "password"},       /* PWD and OLDPWD are directories */
        {NAME("pass"), LAST, MW_VALUE_TOKEN, "password"},     /* or one of several passes */
        {NAME("storepass"), END, MW_VALUE_PLAIN, "password"}, /* keytool */
        {NAME("keypass"), END, MW_VALUE_PLAIN, "password"},
        {NAME("secret"), END, MW_VALUE_ANY, "secret"},
        {NAME("secretaccesskey"), END, MW_VALUE_ANY, "aws-key"}, /* 40 of base64: only named */
        {NAME("secretkey"), END, MW_VALUE_ANY, "secret"},
        {NAME("secretkeybase"), END, MW_VALUE_ANY, "secret"},      /* Rails */
        {NAME("clientkeydata"), END, MW_VALUE_ANY, "private-key"}, /* kubeconfig(5) */
        {NAME("privatekey"), END, MW_VALUE_PLAIN, "private-key"},
        {NAME("accountkey"), END, MW_VALUE_PLAIN, "azure-key"}, /* of a connection string */
        {NAME("sharedaccesskey"), END, MW_VALUE_PLAIN, "azure-key"},
        {NAME("sharedaccesssignature"), END, MW_VALUE_PLAIN, "azure-key"},
        {NAME("subscriptionkey"), END, MW_VALUE_PLAIN, "azure-key"},
        {NAME("accesskey"), END, MW_VALUE_PLAIN, "api-key"},
        {NAME("apikey"), END, MW_VALUE_PLAIN, "api-key"},
        {NAME("appkey"), END, MW_VALUE_PLAIN, "api-key"},
        {NAME("authkey"), END, MW_VALUE_PLAIN, "api-key"},
        {NAME("encryptionkey"), END, MW_VALUE_PLAIN, "key"},
        {NAME("masterkey"), END, MW_VALUE_PLAIN, "key"},
        {NAME("sessionkey"), END, MW_VALUE_PLAIN, "key"},
        {NAME("sharedkey"), END, MW_VALUE_PLAIN, "key"},
        {NAME("signingkey"), END, MW_VALUE_PLAIN, "key"},
        {NAME("kagglekey"), END, MW_VALUE_PLAIN, "kaggle-key"}, /* 32 hex: only named */
        {NAME("wandbkey"), END, MW_VALUE_PLAIN, "wandb-key"},
        {NAME("credential"), END, MW_VALUE_PLAIN, "credential"},
        {NAME("credentials"), END, MW_VALUE_PLAIN, "credential"},
        {NAME("creds"), LAST, MW_VALUE_PLAIN, "credential"},
        {NAME("token"), END, MW_VALUE_TOKEN, "token"},
        {NAME("auth"), QUERY, MW_VALUE_PLAIN, "token"},
        {NAME("auth"), LAST, MW_VALUE_MIXED, "token"}, /* .npmrc, docker's config.json */
        {NAME("authorization"), END, MW_VALUE_REST, "authorization"},
        {NAME("cookie"), END, MW_VALUE_REST, "cookie"},
        {NAME("signature"), QUERY, MW_VALUE_PLAIN,
         "signature"},                                     /* presigned URLs: S3, GCS, CloudFront */
        {NAME("sig"), QUERY, MW_VALUE_PLAIN, "signature"}, /* Azure SAS */
        {NAME("hmac"), QUERY, MW_VALUE_PLAIN, "signature"},
        {NAME("code"), QUERY, MW_VALUE_RANDOM, "key"}, /* Azure Functions, OAuth */
        {NAME("key"), QUERY, MW_VALUE_MIXED, "key"},
        {NAME("key"), LAST, MW_VALUE_RANDOM, "key"},
};
const size_t mw_secret_name_count = sizeof(mw_secret_names) / sizeof(*mw_secret_names);

/* Options whose names do not say it. From the manual page of each; sorted by program. "login" is a
 * program here for the sake of `docker login`, `wandb login` and .netrc. */
const struct mw_secret_option mw_secret_options[] = {
        {"7z", "-p", MW_VALUE_ANY, true, "password"},
        {"configure", "aws_secret_access_key", MW_VALUE_ANY, false, "aws-key"},
        {"configure", "aws_session_token", MW_VALUE_ANY, false, "aws-key"},
        {"curl", "-u", MW_VALUE_USER, false, "password"},
        {"curl", "--user", MW_VALUE_USER, false, "password"},
        {"curl", "-U", MW_VALUE_USER, false, "password"},
        {"curl", "--proxy-user", MW_VALUE_USER, false, "password"},
        {"curl", "-b", MW_VALUE_PLAIN, false, "cookie"},
        {"curl", "--oauth2-bearer", MW_VALUE_ANY, false, "authorization"},
        {"curl", "-u", MW_VALUE_USER, true, "password"},
        {"ipmitool", "-P", MW_VALUE_ANY, false, "password"},
        {"ldapsearch", "-w", MW_VALUE_ANY, false, "password"},
        {"login", "-p", MW_VALUE_ANY, false, "password"},
        {"login", "password", MW_VALUE_ANY, false, "password"},
        {"login", NULL, MW_VALUE_HEX40, false, "wandb-key"},
        {"mariadb", "-p", MW_VALUE_ANY, true, "password"},
        {"mongo", "-p", MW_VALUE_ANY, false, "password"},
        {"mongodump", "-p", MW_VALUE_ANY, false, "password"},
        {"mongosh", "-p", MW_VALUE_ANY, false, "password"},
        {"mosquitto_pub", "-P", MW_VALUE_ANY, false, "password"},
        {"mosquitto_sub", "-P", MW_VALUE_ANY, false, "password"},
        {"mysql", "-p", MW_VALUE_ANY, true, "password"},
        {"mysqladmin", "-p", MW_VALUE_ANY, true, "password"},
        {"mysqldump", "-p", MW_VALUE_ANY, true, "password"},
        {"redis-cli", "-a", MW_VALUE_ANY, false, "password"},
        {"ssh-keygen", "-N", MW_VALUE_ANY, false, "password"},
        {"ssh-keygen", "-P", MW_VALUE_ANY, false, "password"},
        {"sshpass", "-p", MW_VALUE_ANY, false, "password"},
        {"sshpass", "-p", MW_VALUE_ANY, true, "password"},
        {"twine", "-p", MW_VALUE_ANY, false, "password"},
        {"unzip", "-P", MW_VALUE_ANY, false, "password"},
        {"zip", "-P", MW_VALUE_ANY, false, "password"},
};
const size_t mw_secret_option_count = sizeof(mw_secret_options) / sizeof(*mw_secret_options);

const char *const mw_model_tokens[] = {
        "pad",     "eos",   "bos",  "unk",    "mask",   "cls",    "sep",   "eod",
        "sos",     "eot",   "boi",  "eoi",    "image",  "video",  "audio", "speech",
        "special", "start", "stop", "end",    "begin",  "next",   "prev",  "max",
        "min",     "num",   "per",  "prefix", "suffix", "middle", NULL};

const char *const mw_no_values[] = {"none",  "null", "nil",    "true",     "false",    "yes",
                                    "no",    "on",   "off",    "str",      "int",      "bool",
                                    "bytes", "dict", "string", "required", "optional", NULL};

const char *const mw_no_value_from[] = {
        "os.environ", "os.getenv", "process.env.", "os.getcwd", "getpass.", "optional[",
        "file:",      "env:",      "$(",           "{{",        NULL};
