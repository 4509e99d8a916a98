#include "say.h"

#include <stdarg.h>
#include <stdio.h>

int mw_say(const char *format, ...)
{
	char text[8192];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "modelwatch: %s\n", text);
	return MW_EXIT_OWN;
}
