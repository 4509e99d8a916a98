#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool mw_terminal_colour(int fd)
{
	const char *term = getenv("TERM"), *none = getenv("NO_COLOR");

	return isatty(fd) && !(none && *none) && term && strcmp(term, "dumb") != 0;
}
