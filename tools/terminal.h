/* What the terminal can show, decided in one place for the subcommands. */
#ifndef MW_TOOLS_TERMINAL_H
#define MW_TOOLS_TERMINAL_H

#include <stdbool.h>

/* Whether what is written to `fd` may carry colours: a terminal that knows them, whose user has not
 * set NO_COLOR. */
bool mw_terminal_colour(int fd);

#endif
