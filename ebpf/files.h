/* Paths and files as the kernel has them: what nobody can change while they are read. */
#ifndef MW_EBPF_FILES_H
#define MW_EBPF_FILES_H

#include "scope.h"

#define NAMES 24      /* of one path */
#define NAME_MAX_ 128 /* bytes of one name */

/* Appends what lies at `address` of the kernel's memory; 0 when there is no room. */
static __always_inline int append(struct scratch *s, const void *address, uint32_t max)
{
	uint32_t used = s->used;
	int len;

	if (used > MW_K_STRINGS - 256 || max > 256)
		return 0;
	len = bpf_probe_read_kernel_str(&s->effect.strings[used], max, address);
	if (len < 1)
		return 0;
	s->used = used + len;
	return len;
}

static __always_inline struct mw_k_str append_user(struct scratch *s, uint64_t address,
                                                   uint32_t max)
{
	struct mw_k_str ret = {.at = s->used, .len = 0};
	uint32_t used = s->used;
	int len;

	if (!address || used > MW_K_STRINGS - 256 || max > 256)
		return ret;
	len = bpf_probe_read_user_str(&s->effect.strings[used], max, (void *)address);
	if (len < 1)
		return ret;
	ret.len = len - 1;
	s->used = used + len;
	return ret;
}

static __always_inline void inode_of(struct inode *inode, struct mw_k_path *ret)
{
	ret->ino = BPF_CORE_READ(inode, i_ino);
	ret->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	ret->mode = BPF_CORE_READ(inode, i_mode);
	ret->owner = BPF_CORE_READ(inode, i_uid.val);
	ret->nlink = BPF_CORE_READ(inode, i_nlink);
}

/* Whether a path with this name in it may be a secret's: names are looked up as they are, and by
 * what they end in. */
static __always_inline bool may_be_secret(struct dentry *dentry)
{
	const unsigned char *name = BPF_CORE_READ(dentry, d_name.name);
	uint32_t len = BPF_CORE_READ(dentry, d_name.len);
	char key[MW_K_NAME] = {0};

	bpf_probe_read_kernel_str(key, sizeof(key), name);
	if (bpf_map_lookup_elem(&secret_names, key))
		return true;
	if (len <= MW_K_TAIL_BYTES)
		return false;
	__builtin_memset(key, 0, sizeof(key));
	key[0] = MW_K_TAIL;
	bpf_probe_read_kernel(key + 1, MW_K_TAIL_BYTES, name + len - MW_K_TAIL_BYTES);
	return bpf_map_lookup_elem(&secret_names, key);
}

/* The names from `dentry` up to the root of its mount namespace. Mounts are crossed. Whether it may
 * be a secret: whether one of the names is one of theirs, is left in `secret`. */
__attribute__((noinline)) int path_names(struct scratch *s, uint64_t at_mount, uint64_t at_dentry,
                                         struct mw_k_path *ret)
{
	struct dentry *dentry = (struct dentry *)at_dentry;
	struct vfsmount *mount = (struct vfsmount *)at_mount;
	uint32_t start;

	if (!s || !ret)
		return 0;
	start = s->used;
	s->secret = 0;
	ret->cut = 1;
	for (int i = 0; i < NAMES; i++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
		struct dentry *top = BPF_CORE_READ(mount, mnt_root);

		if (dentry == top || dentry == parent) {
			struct mount *real = container_of(mount, struct mount, mnt);
			struct mount *outer = BPF_CORE_READ(real, mnt_parent);

			if (dentry != top || outer == real) {
				ret->cut = 0;
				break;
			}
			dentry = BPF_CORE_READ(real, mnt_mountpoint);
			mount = __builtin_preserve_access_index(&outer->mnt);
			continue;
		}
		if (!append(s, BPF_CORE_READ(dentry, d_name.name), NAME_MAX_))
			break;
		s->secret |= may_be_secret(dentry);
		dentry = parent;
	}
	ret->names.at = start;
	ret->names.len = s->used - start;
	return 0;
}

static __always_inline void path_of(struct scratch *s, struct path *path, struct mw_k_path *ret)
{
	inode_of(BPF_CORE_READ(path, dentry, d_inode), ret);
	path_names(s, (uint64_t)BPF_CORE_READ(path, mnt), (uint64_t)BPF_CORE_READ(path, dentry),
	           ret);
}

static __always_inline void path_of_file(struct scratch *s, struct file *file,
                                         struct mw_k_path *ret)
{
	path_of(s, __builtin_preserve_access_index(&file->f_path), ret);
}

/* The file behind a descriptor of the current process, or NULL. */
static __always_inline struct file *file_of(int fd)
{
	struct files_struct *files = BPF_CORE_READ(current_task(), files);
	struct fdtable *table = BPF_CORE_READ(files, fdt);
	struct file **all = BPF_CORE_READ(table, fd), *file = NULL;

	if (!files || fd < 0 || (uint32_t)fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), all + fd);
	return file;
}

static __always_inline bool is_read_only(struct file *file)
{
	uint32_t mode = BPF_CORE_READ(file, f_mode);

	return mode & FMODE_READ && !(mode & FMODE_WRITE) &&
	       (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) == S_IFREG;
}

/* Stands for the files that open_files() finds one of. */
__attribute__((noinline)) uint64_t key_of_open_files(struct state *st)
{
	uint64_t key = 1;

	if (!st)
		return 0;
	for (int fd = 3; fd < 35; fd++) {
		struct file *file = file_of(fd);

		if (file && is_read_only(file))
			key = key * 31 + (uint64_t)BPF_CORE_READ(file, f_inode, i_ino) * 8191 +
			      BPF_CORE_READ(file, f_inode, i_sb, s_dev);
	}
	return key;
}

/* Regular files that are open for reading only: one of them may hold the stream. */
__attribute__((noinline)) int open_files(struct scratch *s)
{
	uint32_t found = 0;

	if (!s)
		return 0;
	for (int fd = 3; fd < 35; fd++) {
		struct file *file = file_of(fd);

		if (!file || !is_read_only(file))
			continue;
		if (found >= MW_K_FILES)
			break;
		path_of_file(s, file, &s->effect.open[found]);
		found++;
	}
	return found;
}

#endif
