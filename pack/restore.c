/* Metadata by descriptor, through /proc where a call has no such form. */
#include "pack/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/esc.h"
#include "lib/fs.h"
#include "lib/names.h"
#include "pack/entry.h"

static const char acl_access[] = "system.posix_acl_access";
static const char acl_default[] = "system.posix_acl_default";

/* What is missing, collected. */
struct missing {
	char *text;
	size_t len;
	int any;
};

__attribute__((format(printf, 2, 3))) static void miss(struct missing *m, const char *fmt, ...)
{
	size_t used = m->any ? strlen(m->text) : 0;
	va_list ap;

	if (m->any && used + 2 < m->len) {
		memcpy(m->text + used, "; ", 3);
		used += 2;
	}
	va_start(ap, fmt);
	vsnprintf(m->text + used, m->len - used, fmt, ap);
	va_end(ap);
	m->any = 1;
}

static void miss_errno(struct missing *m, const char *what)
{
	char reason[96];
	int errnum = errno;

	miss(m, "%s: %s", what, strerror_r(errnum, reason, sizeof reason));
}

mode_t pack_restore_mode(const struct pack_restore *r, const struct pack_head *head)
{
	mode_t mode = head->has & PACK_HAS_MODE ? head->mode : 0600;

	return r->privileged ? mode : mode & 01777 & ~r->umask;
}

static void set_owner(const struct pack_restore *r, int fd, unsigned how,
	const struct pack_head *head, struct missing *m)
{
	uint32_t uid = head->uid, gid = head->gid;

	if (!r->privileged || !(head->has & (PACK_HAS_UID | PACK_HAS_GID)))
		return;
	if (!r->numeric_owner && r->names != NULL) {
		if (head->user.at != NULL)
			names_uid(r->names, head->user.at, head->user.len, &uid);
		if (head->group.at != NULL)
			names_gid(r->names, head->group.at, head->group.len, &gid);
	}
	if (how & PACK_RESTORE_FRESH && uid == r->uid && gid == r->gid)
		return;
	if (fchownat(fd, "", head->has & PACK_HAS_UID ? uid : (uid_t)-1,
		    head->has & PACK_HAS_GID ? gid : (gid_t)-1, AT_EMPTY_PATH) != 0)
		miss_errno(m, "owner not restored");
}

/* Attributes that give rights; not for an unprivileged restore. */
static bool is_privileged(struct pack_bytes name)
{
	return (name.len >= 9 && memcmp(name.at, "security.", 9) == 0) ||
	       (name.len >= 8 && memcmp(name.at, "trusted.", 8) == 0);
}

static bool is_name(struct pack_bytes name, const char *text)
{
	return name.len == strlen(text) && memcmp(name.at, text, name.len) == 0;
}

/* 0 if it is not there. */
static int remove_xattr(int fd, const char *name)
{
	return fremovexattr(fd, name) == 0 || errno == ENODATA || errno == EOPNOTSUPP ? 0 : -1;
}

static void set_xattrs(const struct pack_restore *r, int fd, unsigned how,
	const struct pack_head *head, struct missing *m)
{
	static const char failed[] = " not restored";
	char path[FS_PROC_MAX], name[PACK_NAME_MAX + 1];
	char shown[ESC_MAX(PACK_NAME_MAX) + sizeof failed];
	struct pack_bytes key, value;
	struct pack_xattr_walk walk;
	bool access = false, def = false;

	fs_proc_path(fd, path);
	pack_xattr_start(&walk, head->xattrs);
	while (r->xattrs && pack_xattr_next(&walk, &key, &value)) {
		memcpy(name, key.at, key.len);
		name[key.len] = 0;
		access = access || is_name(key, acl_access);
		def = def || is_name(key, acl_default);
		if (!r->privileged && is_privileged(key)) {
			esc_name(shown, sizeof shown, key.at, key.len);
			miss(m, "%s not restored: needs privilege", shown);
			continue;
		}
		if (how & PACK_RESTORE_PATH ? setxattr(path, name, value.at, value.len, 0) != 0
					    : fsetxattr(fd, name, value.at, value.len, 0) != 0) {
			int errnum = errno;

			esc_name(shown, sizeof shown, key.at, key.len);
			strcat(shown, failed);
			errno = errnum;
			miss_errno(m, shown);
		}
	}
	if (how & PACK_RESTORE_ACL && !(how & PACK_RESTORE_PATH)) {
		if ((!access && remove_xattr(fd, acl_access) != 0) ||
			(!def && remove_xattr(fd, acl_default) != 0))
			miss_errno(m, "an ACL from its directory stays");
	}
}

static void set_mode(const struct pack_restore *r, int fd, unsigned how, mode_t fresh_mode,
	const struct pack_head *head, struct missing *m)
{
	mode_t mode = pack_restore_mode(r, head);
	char path[FS_PROC_MAX];

	if (!r->privileged && head->mode & 06000)
		miss(m, "set-id bits not restored: needs privilege");
	if (how & PACK_RESTORE_SYMLINK)
		return;
	if (how & PACK_RESTORE_FRESH && fresh_mode == mode && head->xattrs.at == NULL &&
		!(how & PACK_RESTORE_ACL))
		return;
	fs_proc_path(fd, path);
	if (how & PACK_RESTORE_PATH ? chmod(path, mode) != 0 : fchmod(fd, mode) != 0)
		miss_errno(m, "mode not restored");
}

static void set_times(int fd, unsigned how, const struct pack_head *head, struct missing *m)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};

	if (!(head->has & PACK_HAS_MTIME))
		return;
	times[1].tv_sec = head->mtime.sec;
	times[1].tv_nsec = head->mtime.nsec;
	if (how & PACK_RESTORE_PATH ? utimensat(fd, "", times, AT_EMPTY_PATH) != 0
				    : futimens(fd, times) != 0)
		miss_errno(m, "modification time not restored");
}

int pack_restore_meta(const struct pack_restore *r, int fd, unsigned how, mode_t fresh_mode,
	const struct pack_head *head, char *text, size_t text_len)
{
	struct missing m = {text, text_len, 0};
	mode_t mode = pack_restore_mode(r, head);

	/* A change of owner takes set-id bits off, so the mode comes after it. */
	set_owner(r, fd, how, head, &m);
	set_xattrs(r, fd, how, head, &m);
	set_mode(r, fd, mode & 06000 ? how & ~(unsigned)PACK_RESTORE_FRESH : how, fresh_mode, head,
		&m);
	set_times(fd, how, head, &m);
	return m.any;
}

int pack_restore_flags(const struct pack_restore *r, int fd, const struct pack_head *head,
	char *text, size_t text_len)
{
	struct missing m = {text, text_len, 0};
	uint32_t now, want = head->flags & PACK_FLAGS_MASK;

	if (!(head->has & PACK_HAS_FLAGS) || want == 0)
		return 0;
	if (!r->privileged && want & (PACK_FLAG_IMMUTABLE | PACK_FLAG_APPEND)) {
		miss(&m, "immutable and append-only flags not restored: needs privilege");
		want &= ~(PACK_FLAG_IMMUTABLE | PACK_FLAG_APPEND);
	}
	if (fs_flags_get(fd, &now) != 0 ||
		(((now ^ want) & PACK_FLAGS_MASK) != 0 &&
			fs_flags_set(fd, (now & ~PACK_FLAGS_MASK) | want) != 0))
		miss_errno(&m, "flags not restored");
	return m.any;
}
