/* Restores metadata by descriptor, or by a path in /proc for calls that have no such form. */
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

/* FS_COMPR_FL and FS_NOCOW_FL. Btrfs ignores the latter once a file has content. */
#define EARLY_FLAGS 0x00800004u

#define NO_MODE ((mode_t)-1)

/* Collects what could not be restored. */
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

/* Sets the owner, the group or both. */
static int chown_fd(int fd, uid_t uid, gid_t gid)
{
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
}

/* The owner and group to set; -1: not known. */
struct owner {
	uid_t uid;
	gid_t gid;
};

static struct owner find_owner(const struct pack_restore *r, const struct pack_head *head)
{
	struct owner o = {(uid_t)-1, (gid_t)-1};

	if (head->has & PACK_HAS_UID)
		o.uid = head->uid;
	if (head->has & PACK_HAS_GID)
		o.gid = head->gid;
	if (r->numeric_owner || r->names == NULL)
		return o;
	if (head->has & PACK_HAS_UID && head->user.at != NULL)
		names_id(r->names, NAMES_USER, head->user.at, head->user.len, &o.uid);
	if (head->has & PACK_HAS_GID && head->group.at != NULL)
		names_id(r->names, NAMES_GROUP, head->group.at, head->group.len, &o.gid);
	return o;
}

static bool is_owner(const struct owner *o, const struct stat *st)
{
	return (o->uid == (uid_t)-1 || o->uid == st->st_uid) &&
	       (o->gid == (gid_t)-1 || o->gid == st->st_gid);
}

/* Sets owner and group. If they end up different, removes from *mode the set-id bits and the
 * group permissions, which would serve the wrong user or group. */
static void set_owner(int fd, const struct owner *o, mode_t *mode, struct missing *m)
{
	struct stat st = {.st_uid = (uid_t)-1, .st_gid = (gid_t)-1};
	int errnum = EOPNOTSUPP;

	if ((o->uid != (uid_t)-1 || o->gid != (gid_t)-1) && chown_fd(fd, o->uid, o->gid) != 0) {
		errnum = errno;
		chown_fd(fd, (uid_t)-1, o->gid); /* one of them may be allowed */
		chown_fd(fd, o->uid, (gid_t)-1);
	}
	if (fstat(fd, &st) != 0)
		errnum = errno;
	if (!is_owner(o, &st)) {
		errno = errnum;
		miss_errno(m, "owner not restored");
	}
	if (o->uid != st.st_uid)
		*mode &= ~(mode_t)S_ISUID;
	if (o->gid != st.st_gid)
		*mode &= ~(mode_t)S_ISGID;
	if (o->gid != (gid_t)-1 && o->gid != st.st_gid) /* another group would get them */
		*mode &= ~(mode_t)S_IRWXG | ((*mode & S_IRWXO) << 3);
}

/* Removes an attribute by descriptor, or by path if the object was opened with O_PATH. Returns
 * 0 also if it does not exist. */
static int remove_xattr(int fd, const char *path, const char *name)
{
	int ret = path != NULL ? removexattr(path, name) : fremovexattr(fd, name);

	return ret == 0 || errno == ENODATA || errno == EOPNOTSUPP ? 0 : -1;
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
		access = access || strcmp(name, acl_access) == 0;
		def = def || strcmp(name, acl_default) == 0;
		/* These grant privileges. */
		if (!r->privileged &&
			(strncmp(name, "security.", 9) == 0 || strncmp(name, "trusted.", 8) == 0)) {
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
	if (how & PACK_RESTORE_ACL && !(how & PACK_RESTORE_SYMLINK)) {
		const char *by = how & PACK_RESTORE_PATH ? path : NULL;

		if ((!access && remove_xattr(fd, by, acl_access) != 0) ||
			(!def && remove_xattr(fd, by, acl_default) != 0))
			miss_errno(m, "an ACL that is not the entry's stays");
	}
}

static void set_mode(const struct pack_restore *r, int fd, unsigned how, mode_t fresh_mode,
	mode_t mode, const struct pack_head *head, struct missing *m)
{
	char path[FS_PROC_MAX];

	if (!r->privileged && head->mode & 06000)
		miss(m, "set-id bits not restored: needs privilege");
	else if (mode != pack_restore_mode(r, head) && !(how & PACK_RESTORE_SYMLINK))
		miss(m, "mode %04o restored as %04o: rights were another owner's or group's",
			(unsigned)pack_restore_mode(r, head), (unsigned)mode);
	if (how & PACK_RESTORE_SYMLINK)
		return;
	if (fresh_mode == mode && head->xattrs.at == NULL && !(how & PACK_RESTORE_ACL))
		return;
	fs_proc_path(fd, path);
	if (how & PACK_RESTORE_PATH ? chmod(path, mode) != 0 : fchmod(fd, mode) != 0)
		miss_errno(m, "mode not restored");
}

/* Finds what the file system did not keep without reporting an error. */
static void look_again(const struct stat *st, unsigned how, mode_t mode,
	const struct pack_head *head, struct missing *m)
{
	if (m->any)
		return; /* a problem was already reported */
	if (!(how & PACK_RESTORE_SYMLINK) && (st->st_mode & 07777) != mode)
		miss(m, "mode not restored: it is %04o here, not %04o",
			(unsigned)st->st_mode & 07777, (unsigned)mode);
	if (head->has & PACK_HAS_MTIME &&
		(st->st_mtim.tv_sec != head->mtime.sec ||
			(uint32_t)st->st_mtim.tv_nsec != head->mtime.nsec))
		miss(m, "modification time not kept exactly: it is %lld.%09ld here, not %lld.%09u",
			(long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
			(long long)head->mtime.sec, head->mtime.nsec);
}

int pack_restore_meta(const struct pack_restore *r, int fd, unsigned how, mode_t fresh_mode,
	const struct pack_head *head, char *text, size_t text_len)
{
	struct missing m = {text, text_len, 0};
	mode_t mode = pack_restore_mode(r, head);
	struct owner owner = find_owner(r, head);
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
		{.tv_sec = head->mtime.sec, .tv_nsec = (long)head->mtime.nsec}};
	bool fresh = how & PACK_RESTORE_FRESH && (mode & 06000) == 0;
	struct stat st;

	/* A change of owner clears set-id bits and capabilities, so those are set later. */
	if (r->privileged && !(fresh && owner.uid == r->uid && owner.gid == r->gid))
		set_owner(fd, &owner, &mode, &m);
	set_xattrs(r, fd, how, head, &m);
	set_mode(r, fd, how, fresh ? fresh_mode : NO_MODE, mode, head, &m);
	if (head->has & PACK_HAS_MTIME &&
		(how & PACK_RESTORE_PATH ? utimensat(fd, "", times, AT_EMPTY_PATH)
					 : futimens(fd, times)) != 0)
		miss_errno(&m, "modification time not restored");
	if (fstat(fd, &st) != 0)
		miss_errno(&m, "metadata can't be compared");
	else if (r->privileged && fresh && !is_owner(&owner, &st)) /* the new file is another's */
		return pack_restore_meta(
			r, fd, how & ~(unsigned)PACK_RESTORE_FRESH, 0, head, text, text_len);
	else
		look_again(&st, how, mode, head, &m);
	return m.any;
}

void pack_restore_early_flags(int fd, const struct pack_head *head)
{
	uint32_t now, want;

	if (!(head->has & PACK_HAS_FLAGS) || fs_flags_get(fd, &now) != 0)
		return;
	want = (now & ~EARLY_FLAGS) | (head->flags & EARLY_FLAGS);
	if (want != now)
		fs_flags_set(fd, want);
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
			(fs_flags_set(fd, (now & ~PACK_FLAGS_MASK) | want) != 0 ||
				fs_flags_get(fd, &now) != 0)))
		miss_errno(&m, "flags not restored");
	else if (((now ^ want) & PACK_FLAGS_MASK) != 0)
		miss(&m, "flags not restored: they are 0x%x here, not 0x%x",
			(unsigned)(now & PACK_FLAGS_MASK), (unsigned)want);
	return m.any;
}
