/* The directory of a ZIP archive, as far as it takes to name the member that a stream came from.
 * The archive is hostile: memory is constant and the work bounded whatever it says. */
#ifndef MW_TOOLS_ZIP_H
#define MW_TOOLS_ZIP_H

#include <stddef.h>
#include <stdint.h>

#define MW_ZIP_ENTRIES 100000u

/* Looks among the first MW_ZIP_ENTRIES entries of the archive behind `fd`, a regular file of `size`
 * bytes, for one that holds exactly the `len` bytes at `data`, by length and CRC-32. Of several,
 * one called data.pkl is preferred. Returns 0 with its name (any bytes but NUL, cut to fit) in
 * `ret`; -ENOENT when there is none, -EBADMSG when this is no archive, or another negative errno.
 */
int mw_zip_find(int fd, uint64_t size, const uint8_t *data, uint64_t len, char *ret,
                size_t ret_size);

/* Where the pickle of an archive of PyTorch's lies in the file: the first of these entries that is
 * called data.pkl. Returns 0 with its first byte and its length, which lie inside of the file;
 * -ENOENT when there is none, or it is compressed; otherwise as mw_zip_find(). */
int mw_zip_pickle(int fd, uint64_t size, uint64_t *ret_at, uint64_t *ret_len);

/* CRC-32 as ZIP uses it. */
uint32_t mw_crc32(const uint8_t *data, size_t len);

#endif
