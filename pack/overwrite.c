/*
 * Linux does not report how precisely a file system keeps times. So the entry's time is set on
 * an unnamed file and read back.
 */
#include "pack/overwrite.h"

#include "pack/newfile.h"

/* The precision of the coarsest clock (FAT's), and the last second of a 32-bit one. */
#define COARSE_SEC 2
#define SHORT_MAX  2147483647

/* Distinct from this process's other temporary names. */
#define SERIAL 4000000000u

bool pack_overwrite_alike(enum pack_type type, mode_t there)
{
	bool file = type == PACK_COMMAND || type == PACK_HARDLINK;

	return pack_type_of(there) == (file ? PACK_REGULAR : type);
}

bool pack_overwrite_same(const struct pack_head *head, const struct stat *there, int dir)
{
	const unsigned need = PACK_HAS_SIZE | PACK_HAS_MTIME;
	const struct timespec now = there->st_mtim;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
		{.tv_sec = head->mtime.sec, .tv_nsec = (long)head->mtime.nsec}};
	unsigned serial = SERIAL;
	struct pack_newfile file;
	struct stat st;
	bool same;

	if (head->type != PACK_REGULAR || !S_ISREG(there->st_mode) || (head->has & need) != need ||
		head->size != (uint64_t)there->st_size)
		return false;
	if (head->mtime.sec == now.tv_sec && head->mtime.nsec == (uint32_t)now.tv_nsec)
		return true;
	/* The times differ. Would the file system turn the entry's time into this one? */
	if (head->mtime.sec >= 0 && head->mtime.sec < SHORT_MAX &&
		(head->mtime.sec - now.tv_sec > COARSE_SEC ||
			now.tv_sec - head->mtime.sec > COARSE_SEC))
		return false;
	if (pack_newfile_open(&file, dir, 0600, NULL, &serial) != 0)
		return false;
	same = futimens(file.fd, times) == 0 && fstat(file.fd, &st) == 0 &&
	       st.st_mtim.tv_sec == now.tv_sec && st.st_mtim.tv_nsec == now.tv_nsec;
	pack_newfile_drop(&file, dir);
	return same;
}

bool pack_overwrite_may(
	enum pack_overwrite when, const struct pack_head *head, const struct stat *there, int dir)
{
	struct timespec now = there->st_mtim;

	switch (when) {
	case PACK_OVERWRITE_NEVER:
		return false;
	case PACK_OVERWRITE_NEWER:
		return head->mtime.sec > now.tv_sec ||
		       (head->mtime.sec == now.tv_sec && head->mtime.nsec > (uint32_t)now.tv_nsec);
	case PACK_OVERWRITE_CHANGED:
		return !pack_overwrite_same(head, there, dir);
	default:
		return true;
	}
}
