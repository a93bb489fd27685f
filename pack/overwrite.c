/*
 * Linux does not tell how exactly a file system keeps times, so an unnamed
 * file is given the time, and what has become of it is compared.
 */
#include "pack/overwrite.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "pack/newfile.h"

/* The coarsest clock (FAT's), and the last second of a 32-bit one. */
#define COARSE_SEC 2
#define SHORT_MAX  2147483647

/* Apart from other temporary names of this process. */
#define SERIAL 4000000000u

bool pack_overwrite_alike(enum pack_type type, mode_t there)
{
	bool file = type == PACK_COMMAND || type == PACK_HARDLINK;

	return pack_type_of(there) == (file ? PACK_REGULAR : type);
}

/* What a file in dir keeps of a time. Returns false if that can't be tried. */
static bool kept_time(int dir, struct pack_time time, struct timespec *kept)
{
	struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT}, {.tv_sec = time.sec, .tv_nsec = (long)time.nsec}};
	struct pack_newfile file;
	unsigned serial = SERIAL;
	struct stat st;
	bool ok;

	if (pack_newfile_open(&file, dir, 0600, NULL, &serial) != 0)
		return false;
	ok = futimens(file.fd, times) == 0 && fstat(file.fd, &st) == 0;
	if (ok)
		*kept = st.st_mtim;
	pack_newfile_drop(&file, dir);
	return ok;
}

bool pack_overwrite_same(const struct pack_head *head, const struct stat *there, int dir)
{
	const unsigned need = PACK_HAS_SIZE | PACK_HAS_MTIME;
	struct timespec now = there->st_mtim, kept;

	if (head->type != PACK_REGULAR || !S_ISREG(there->st_mode) || (head->has & need) != need ||
		head->size != (uint64_t)there->st_size)
		return false;
	if (head->mtime.sec == now.tv_sec && head->mtime.nsec == (uint32_t)now.tv_nsec)
		return true;
	/* Not that time: but is it what becomes of it here? */
	if (head->mtime.sec >= 0 && head->mtime.sec < SHORT_MAX &&
		(head->mtime.sec - now.tv_sec > COARSE_SEC ||
			now.tv_sec - head->mtime.sec > COARSE_SEC))
		return false;
	return kept_time(dir, head->mtime, &kept) && kept.tv_sec == now.tv_sec &&
	       kept.tv_nsec == now.tv_nsec;
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
