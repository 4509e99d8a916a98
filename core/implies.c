#include "implies.h"

#include <string.h>

#include "paths.h"

/* How the targets of the two have to agree. */
enum agreement {
	EQUAL,   /* the same text */
	PROGRAM, /* the same program, wherever on PATH: the same last part */
	INSIDE, /* one of the paths announced, or below it; a bare name is one below a descriptor */
	BEGINNING, /* begins with the path announced: base name, journal files */
	RESOLVER,  /* the name service of the machine */
	LOOK_UP,   /* the same name, or the name service */
	BESIDE,    /* in the same directory: the name is made up on the way */
	ADDRESS,   /* the same port, and the same host when it was given as a number */
	ANY,
};

/* The first row that fits decides. An operation that ends with '.' stands for all of a module. */
static const struct {
	const char *op;
	enum mw_class above, below;
	enum agreement agreement;
} rows[] = {
        {"subprocess.Popen", MW_EXEC, MW_EXEC, PROGRAM},
        {"_posixsubprocess.fork_exec", MW_EXEC, MW_EXEC, PROGRAM},
        {"pty.spawn", MW_EXEC, MW_EXEC, PROGRAM},
        {"os.", MW_EXEC, MW_EXEC, PROGRAM},
        {"shutil.make_archive", MW_WRITE, MW_WRITE, BEGINNING},
        {"shutil.", MW_WRITE, MW_WRITE, INSIDE},
        {"sqlite3.connect", MW_WRITE, MW_WRITE, BEGINNING},
        {"socket.getaddrinfo", MW_SEND, MW_CONNECT, RESOLVER},
        {"socket.gethostbyaddr", MW_SEND, MW_CONNECT, RESOLVER},
        {"socket.gethostbyname", MW_SEND, MW_CONNECT, RESOLVER},
        {"socket.getaddrinfo", MW_SEND, MW_SEND, LOOK_UP},
        {"socket.gethostbyaddr", MW_SEND, MW_SEND, LOOK_UP},
        {"socket.gethostbyname", MW_SEND, MW_SEND, LOOK_UP},
        {"getaddrinfo", MW_SEND, MW_CONNECT, RESOLVER},
        {"getaddrinfo", MW_SEND, MW_SEND, LOOK_UP},
        {"gethostbyname", MW_SEND, MW_CONNECT, RESOLVER},
        {"gethostbyname", MW_SEND, MW_SEND, LOOK_UP},
        {"gethostbyname_r", MW_SEND, MW_CONNECT, RESOLVER},
        {"gethostbyname_r", MW_SEND, MW_SEND, LOOK_UP},
        {"gethostbyname2", MW_SEND, MW_CONNECT, RESOLVER},
        {"gethostbyname2", MW_SEND, MW_SEND, LOOK_UP},
        {"gethostbyname2_r", MW_SEND, MW_CONNECT, RESOLVER},
        {"gethostbyname2_r", MW_SEND, MW_SEND, LOOK_UP},
        {"mkstemp", MW_WRITE, MW_WRITE, BESIDE},
        {"mkstemp64", MW_WRITE, MW_WRITE, BESIDE},
        {"mkostemp", MW_WRITE, MW_WRITE, BESIDE},
        {"mkostemp64", MW_WRITE, MW_WRITE, BESIDE},
        {"mkstemps", MW_WRITE, MW_WRITE, BESIDE},
        {"mkstemps64", MW_WRITE, MW_WRITE, BESIDE},
        {"mkdtemp", MW_WRITE, MW_WRITE, BESIDE},
        {"sem_open", MW_WRITE, MW_WRITE, BESIDE},
        {"socket.", MW_CONNECT, MW_CONNECT, ADDRESS},
        {"socket.", MW_LISTEN, MW_LISTEN, ADDRESS},
        {"socket.", MW_SEND, MW_SEND, ADDRESS},
        {"ctypes.", MW_MAP, MW_MAP, EQUAL},
        {"ftplib.", MW_SEND, MW_SEND, ANY},
        {"urllib.", MW_CONNECT, MW_CONNECT, ANY},
};

static bool is_known(const char *text)
{
	return text && *text;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool begins(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

static bool is_resolver(const char *target)
{
	const char *colon = strrchr(target, ':');

	return (colon && !strcmp(colon, ":53")) || begins(target, "/run/nscd/") ||
	       begins(target, "/var/run/nscd/") || begins(target, "/run/systemd/resolve/") ||
	       begins(target, "/run/avahi-daemon/");
}

static bool is_beside(const char *above, const char *below)
{
	size_t len = (size_t)(last_part(above) - above);

	return len && len == (size_t)(last_part(below) - below) && !strncmp(above, below, len);
}

/* "host:port", "[host]:port", or the path of a unix socket. A host name is looked up in between. */
static bool is_address(const char *above, const char *below)
{
	const char *port = strrchr(above, ':'), *port2 = strrchr(below, ':');
	bool number =
	        port && (*above == '[' || strspn(above, "0123456789.") == (size_t)(port - above));

	if (!strcmp(above, below))
		return true;
	return port && port2 && !strcmp(port, port2) && (!number || port == above);
}

static bool agrees(enum agreement agreement, const char *above, const char *below)
{
	switch (agreement) {
	case EQUAL:
		return !strcmp(above, below);
	case PROGRAM:
		return !strcmp(last_part(above), last_part(below));
	case INSIDE:
		return !strchr(below, '/') || mw_path_inside(below, above);
	case BEGINNING:
		return begins(below, above);
	case RESOLVER:
		return is_resolver(below);
	case LOOK_UP:
		return !strcmp(above, below) || is_resolver(below);
	case BESIDE:
		return is_beside(above, below);
	case ADDRESS:
		return is_address(above, below);
	case ANY:
		return true;
	}
	return false;
}

static bool fits(const char *row, const char *op)
{
	size_t len = strlen(row);

	return row[len - 1] == '.' ? begins(op, row) : !strcmp(op, row);
}

bool mw_implies(const struct mw_announced *above, const struct mw_effect *below)
{
	enum agreement agreement = EQUAL;
	bool same = above->class == below->class;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].above != above->class || rows[i].below != below->class ||
		    !fits(rows[i].op, above->op))
			continue;
		agreement = rows[i].agreement;
		same = true;
		break;
	}
	if (!same)
		return false;
	if (!is_known(above->target) || !is_known(below->target))
		return true;
	return agrees(agreement, above->target, below->target) ||
	       (is_known(above->target2) && agrees(agreement, above->target2, below->target));
}
