#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "write.h"

int mw_say(const char *format, ...)
{
	char text[8192];
	size_t len = (size_t)snprintf(text, sizeof(text), "modelwatch: ");
	va_list args;
	int more;

	va_start(args, format);
	more = vsnprintf(text + len, sizeof(text) - len - 1, format, args);
	va_end(args);
	if (more > 0)
		len += (size_t)more < sizeof(text) - len - 1 ? (size_t)more
		                                             : sizeof(text) - len - 2;
	text[len++] = '\n';
	mw_write_patiently(STDERR_FILENO, text, len, MW_PATIENCE_MS);
	return MW_EXIT_OWN;
}
