/*
 * The extractor: entries of any kind into a directory that is not empty.
 * Whatever they contain, nothing outside that directory changes, no descriptor
 * stays open, no temporary name is left. As root also with owners and devices.
 *
 * Input: a byte of options, the length of the first of two blocks (2 bytes; 0:
 * only one), where the first entry of the second begins (2 bytes), payload.
 * Checksums are not compared with the content here, so that entries get through.
 */
#include "test/fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fs.h"
#include "pack/extract.h"
#include "pack/load.h"
#include "pack/press.h"
#include "pack/reader.h"

#define HEAD_LEN 5

enum {
	WITHOUT_XATTRS = 1,
	OVERWRITE = 6,
	STRIP = 8,
	UNTRUSTED = 16,
	BY_NAME = 32,
	AHEAD = 64,
};

static char base[64];
static int base_fd = -1;
static struct pack_press *press;

/* --- the place ------------------------------------------------------------ */

/* Removes what is in a directory, whatever its modes and flags. */
static void clear(int dir, int forbid_temporary)
{
	struct dirent *entry;
	DIR *list = fdopendir(dup(dir));
	int fd;

	MUST(list != NULL);
	rewinddir(list);
	while ((entry = readdir(list)) != NULL) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		MUST(!forbid_temporary || strncmp(name, ".fdump-", 7) != 0);
		fd = -1;
		if (entry->d_type == DT_DIR || entry->d_type == DT_REG)
			fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0 && entry->d_type == DT_DIR) { /* its mode; root has no need of it */
			MUST(fchmodat(dir, name, 0700, 0) == 0);
			fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		}
		if (fd >= 0) {
			fs_flags_set(fd, 0);
			MUST(fchmod(fd, 0700) == 0);
			if (entry->d_type == DT_DIR)
				clear(fd, forbid_temporary);
			close(fd);
		}
		MUST(unlinkat(dir, name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0) == 0);
	}
	closedir(list);
}

static void remove_base(void)
{
	clear(base_fd, 0);
	rmdir(base);
}

static void make_base(void)
{
	int fd;

	snprintf(base, sizeof base, "%s/fdump-fuzz.XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	MUST(mkdtemp(base) != NULL);
	base_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(base_fd >= 0 && mkdirat(base_fd, "canary", 0755) == 0);
	fd = openat(base_fd, "canary/file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	MUST(fd >= 0 && write(fd, "unchanged", 9) == 9 && close(fd) == 0);
	fs_raise_file_limit();
	umask(0);
	press = pack_press_new(0, NULL);
	MUST(press != NULL && hash_crypto_init(NULL) == 0);
	atexit(remove_base);
}

/* The target, with links that lead out of it, and other things in the way. */
static int make_target(void)
{
	int dir, fd;

	MUST(mkdirat(base_fd, "t", 0755) == 0);
	dir = openat(base_fd, "t", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(dir >= 0);
	MUST(symlinkat("../canary", dir, "l") == 0);
	MUST(symlinkat("../canary/file", dir, "m") == 0);
	MUST(mkdirat(dir, "d", 0755) == 0 && symlinkat("../../canary", dir, "d/l") == 0);
	fd = openat(dir, "f", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	MUST(fd >= 0 && close(fd) == 0);
	return dir;
}

struct canary {
	struct stat dir, file;
};

/* Any change to one of them shows in its ctime. */
static void look(struct canary *c)
{
	memset(c, 0, sizeof *c);
	MUST(fstatat(base_fd, "canary", &c->dir, AT_SYMLINK_NOFOLLOW) == 0);
	MUST(fstatat(base_fd, "canary/file", &c->file, AT_SYMLINK_NOFOLLOW) == 0);
	c->dir.st_atim = c->file.st_atim = (struct timespec){0};
}

/* Nothing but the target and the canary is here. */
static void check_base(void)
{
	DIR *list = fdopendir(dup(base_fd));
	struct dirent *entry;
	int n = 0;

	MUST(list != NULL);
	rewinddir(list);
	while ((entry = readdir(list)) != NULL)
		n++;
	closedir(list);
	MUST(n == 4);
}

/* --- the extraction ------------------------------------------------------- */

static void on_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what)
{
	(void)ctx, (void)kind, (void)offset, (void)path;
	MUST(what[0] != 0);
}

static void on_extract(void *ctx, struct pack_bytes path, enum pack_outcome_kind kind, int errnum,
	const char *what)
{
	(void)ctx, (void)kind, (void)errnum;
	MUST(path.at != NULL && path.len > 0 && what[0] != 0);
}

static int block(struct pack_extract *x, struct pack_reader *reader, const uint8_t *raw, size_t len,
	uint32_t first, uint64_t seq, bool ahead)
{
	struct pack_block b = {.kind = PACK_ENTRY,
		.first = first,
		.seq = seq,
		.raw_len = (uint32_t)len,
		.stored_len = (uint32_t)len,
		.check = hash_xxh3(raw, len)};
	struct pack_load *load = pack_load_new(NULL);
	struct err err = {0};
	int got;

	MUST(load != NULL);
	memcpy(pack_load_room(load, &b, NULL), raw, len);
	MUST(pack_load_open(load, press, NULL, NULL, &err) == 0);
	if (ahead)
		pack_extract_prepare(x, load);
	MUST(pack_reader_take(reader, load, &err) == 0);
	got = pack_extract_load(x, load, &err);
	pack_extract_drop(x, load);
	pack_load_free(load);
	return got;
}

static void extract(const uint8_t *data, size_t len, int target)
{
	struct pack_extract_options o = {
		.target = target,
		.privileged = geteuid() == 0 && !(data[0] & UNTRUSTED),
		.numeric_owner = !(data[0] & BY_NAME),
		.xattrs = !(data[0] & WITHOUT_XATTRS),
		.overwrite = (enum pack_overwrite)((data[0] & OVERWRITE) / 2),
		.strip = data[0] & STRIP ? 1 : 0,
		.umask = 022,
		.files = 256,
		.problem = on_extract,
		.made = "packed",
	};
	struct pack_extract *x = pack_extract_new(&o, NULL);
	struct pack_reader *reader = pack_reader_new(false, false, false, on_problem, NULL, NULL);
	size_t split = le_get16(data + 1), first = le_get16(data + 3);
	bool ahead = data[0] & AHEAD;
	int got = 0;

	MUST(x != NULL && reader != NULL);
	data += HEAD_LEN, len -= HEAD_LEN;
	if (split >= len)
		split = 0;
	if (split > 0)
		got = block(x, reader, data, split, 0, 0, ahead);
	if (first >= len - split)
		first = PACK_BLOCK_NONE;
	if (split == 0)
		first = 0;
	if (got == 0)
		got = block(
			x, reader, data + split, len - split, (uint32_t)first, split > 0, ahead);
	MUST(got == 0);
	pack_extract_finish(x);
	pack_extract_free(x);
	pack_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct canary before, after;
	int target, free_fd, now_fd;
	uint8_t *copy;

	if (base_fd < 0)
		make_base();
	if (len <= HEAD_LEN || len > 2048)
		return 0;
	target = make_target();
	look(&before);
	free_fd = dup(base_fd);
	close(free_fd);
	copy = fuzz_copy(data, len);
	extract(copy, len, target);
	free(copy);
	now_fd = dup(base_fd);
	close(now_fd);
	MUST(now_fd == free_fd);
	look(&after);
	MUST(memcmp(&before, &after, sizeof before) == 0);
	check_base();
	fs_flags_set(target, 0);
	MUST(fchmod(target, 0700) == 0);
	clear(target, memmem(data, len, ".fdump-", 7) == NULL);
	close(target);
	MUST(unlinkat(base_fd, "t", AT_REMOVEDIR) == 0);
	return 0;
}
