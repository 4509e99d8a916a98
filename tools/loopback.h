/* Addresses that only this machine reaches. */
#ifndef MW_TOOLS_LOOPBACK_H
#define MW_TOOLS_LOOPBACK_H

#include <sys/socket.h>

/* Reads "127.0.0.1:9464" or "[::1]:9464": an address of the loopback interface and a port other
 * than 0. Returns 0, -EINVAL when it is none, or -EACCES when it is an address that others reach.
 */
int mw_loopback_parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len);

#endif
