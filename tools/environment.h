/* The environment of a watched job. */
#ifndef MW_TOOLS_ENVIRONMENT_H
#define MW_TOOLS_ENVIRONMENT_H

/* This process's environment with `shim` put in front of LD_PRELOAD, unless it is in there, and
 * with MODELWATCH_SOCKET naming `socket`. Returns 0, free with mw_environment_free(); -EINVAL when
 * the path of the shim cannot stand in LD_PRELOAD; -ENOMEM. */
int mw_environment(const char *shim, const char *socket, char ***ret);
void mw_environment_free(char **environment);

#endif
