/* pack/feed: how an entry reflects what happens to its file while it is read. */
#include "test/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cbor.h"
#include "lib/hash.h"
#include "pack/digest.h"
#include "pack/feed.h"
#include "pack/part.h"
#include "pack/scan.h"

static struct err err;
static char base[] = "/tmp/fdump-unit-feed.XXXXXX";
static struct pack_dir dir;
static struct pack_feed *feed;
static struct pack_part *part;
static struct hash *hash;
static struct pack_digest *digest;
static struct pack_stream stream;
static uint8_t sum[HASH_LEN];
static unsigned parts; /* the entry spanned */

static int make_base(void **state)
{
	(void)state;
	if (mkdtemp(base) == NULL || (dir.fd = open(base, O_RDONLY | O_DIRECTORY)) < 0)
		return -1;
	atomic_init(&dir.refs, 1);
	feed = pack_feed_new(true, true, &err);
	part = pack_part_new(8192, &err);
	hash = hash_new(&err);
	digest = pack_digest_new(&err);
	return feed == NULL || part == NULL || hash == NULL || digest == NULL ? -1 : 0;
}

static int remove_base(void **state)
{
	char command[100];

	(void)state;
	pack_feed_free(feed);
	pack_part_free(part);
	hash_free(hash);
	pack_digest_free(digest);
	close(dir.fd);
	snprintf(command, sizeof command, "rm -rf '%s'", base);
	return system(command);
}

/* Makes a file of this size, filled with letters in order. */
static void make(const char *name, size_t size)
{
	int fd = openat(dir.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	static char letters[100000];

	memset(letters, 'a', sizeof letters);
	assert_true(fd >= 0 && size <= sizeof letters);
	assert_int_equal(write(fd, letters, size), size);
	close(fd);
}

static struct pack_scan_item item(const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dir.fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return (struct pack_scan_item){.dir = &dir,
		.name = name,
		.path = name,
		.path_len = strlen(name),
		.st = st,
		.fd = -1};
}

/* Begins. Returns the result of pack_feed_begin. */
static int begin(const struct pack_scan_item *what)
{
	pack_part_reset(part);
	parts = 1;
	return pack_feed_begin(feed, part, what, (struct pack_bytes){0}, &stream, &err);
}

/* Reads to the end, and checks the sizes of the data in the parts. */
static void finish(void)
{
	int got;

	pack_digest_begin(digest, stream.tail.sparse);
	while ((got = pack_feed_fill(part, &stream, digest, &err)) == 1) {
		assert_true(pack_part_full(part));
		assert_true(part->raw.len < 8192 + 4096);
		pack_part_reset(part);
		parts++;
	}
	assert_int_equal(got, 0);
	assert_int_equal(stream.fd, -1);
	pack_digest_end(digest, sum);
	assert_int_equal(pack_feed_end(part, &stream, sum, &err), 0);
}

static void whole(const char *name, enum pack_status status, uint64_t size)
{
	struct pack_scan_item what = item(name);

	assert_int_equal(begin(&what), 0);
	finish();
	assert_int_equal(stream.tail.status, status);
	assert_int_equal(stream.tail.size, size);
	assert_int_equal(stream.problem[0] != 0, status != PACK_OK);
}

/* The HEAD that the part begins with. */
static struct pack_head head(void)
{
	struct pack_head got;
	struct cbor_in in;

	cbor_in_init(&in, part->raw.data, part->raw.len);
	assert_int_equal(pack_head_get(&in, &got, &err), 0);
	return got;
}

static void unchanged(void **state)
{
	uint8_t want[HASH_LEN];
	struct pack_head h;

	(void)state;
	make("empty", 0);
	whole("empty", PACK_OK, 0);
	hash_sha256("", 0, want);
	assert_memory_equal(sum, want, HASH_LEN);
	make("one", 1);
	whole("one", PACK_OK, 1);
	h = head();
	assert_true(h.type == PACK_REGULAR && h.mode == 0640 && h.size == 1);
	assert_int_equal(h.mtime.sec, item("one").st.st_mtim.tv_sec);
	make("some", 50000);
	whole("some", PACK_OK, 50000);
	assert_true(parts >= 6);
}

static void holes(void **state)
{
	uint8_t want[HASH_LEN];
	int fd = openat(dir.fd, "holes", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	assert_int_equal(pwrite(fd, "data", 4, 500000), 4);
	whole("holes", PACK_OK, 1 << 20);
	hash_add_zeros(hash, 500000);
	hash_add(hash, "data", 4);
	hash_add_zeros(hash, (1 << 20) - 500004);
	hash_end(hash, want);
	assert_memory_equal(sum, want, HASH_LEN);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ftruncate(fd, (off_t)1 << 28), 0); /* nothing but a hole */
	whole("holes", PACK_OK, (uint64_t)1 << 28);
	assert_int_equal(parts, 1);
	close(fd);
}

/* The content is digested; with holes of more than 1 GiB the digest is of the other kind. */
static void large_holes(void **state)
{
	const off_t gib = (off_t)1 << 30;
	struct pack_scan_item what;
	int fd = openat(dir.fd, "large", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uint8_t want[HASH_LEN];

	(void)state;
	assert_int_equal(ftruncate(fd, 4 * gib), 0);
	assert_int_equal(pwrite(fd, "data", 4, 2 * gib), 4);
	whole("large", PACK_OK, (uint64_t)(4 * gib));
	assert_true(stream.tail.sparse);
	assert_true(stream.holes > (uint64_t)(4 * gib) - (1 << 20));
	assert_int_equal(parts, 1);
	pack_digest_begin(digest, true);
	pack_digest_hole(digest, (uint64_t)(2 * gib));
	pack_digest_data(digest, "data", 4);
	pack_digest_hole(digest, (uint64_t)(2 * gib - 4));
	pack_digest_end(digest, want);
	assert_memory_equal(sum, want, HASH_LEN);
	/* Nothing but a hole, and one byte more than the plain kind allows. */
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ftruncate(fd, gib + 1), 0);
	what = item("large");
	assert_int_equal(begin(&what), 0);
	assert_true(stream.tail.sparse && head().has & PACK_HAS_SPARSE);
	/* It shrinks while it is read: the kind stays. */
	assert_int_equal(ftruncate(fd, 5000), 0);
	finish();
	assert_int_equal(stream.tail.status, PACK_SHRUNK);
	assert_true(stream.tail.sparse && stream.tail.size == 5000);
	assert_int_equal(ftruncate(fd, gib), 0);
	what = item("large");
	assert_int_equal(begin(&what), 0);
	assert_false(stream.tail.sparse || head().has & PACK_HAS_SPARSE);
	pack_feed_drop(&stream);
	close(fd);
}

/* Of the plain kind when it was opened, with large holes when it is read: they come as zeros. */
static void large_holes_too_late(void **state)
{
	const off_t size = ((off_t)1 << 30) + (8 << 20);
	int fd = openat(dir.fd, "late", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct pack_scan_item what;
	int got;

	(void)state;
	assert_int_equal(ftruncate(fd, size), 0);
	if (fallocate(fd, 0, 0, 8 << 20) != 0)
		skip();
	{
		static char ones[8 << 20];

		memset(ones, 1, sizeof ones);
		assert_int_equal(pwrite(fd, ones, sizeof ones, 0), sizeof ones);
	}
	what = item("late");
	assert_int_equal(begin(&what), 0);
	assert_false(stream.tail.sparse);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ftruncate(fd, size), 0);
	got = pack_feed_fill(part, &stream, NULL, &err);
	assert_int_equal(got, 1); /* DATA, as much as there is room for */
	assert_int_equal(stream.holes, 0);
	pack_feed_drop(&stream);
	close(fd);
}

static void fates(void **state)
{
	struct pack_scan_item what;
	struct timespec times[2] = {{0, UTIME_OMIT}, {5, 6}};
	int fd;

	(void)state;
	make("shrinks", 50000);
	what = item("shrinks");
	assert_int_equal(begin(&what), 0);
	fd = openat(dir.fd, "shrinks", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 20000), 0);
	finish();
	assert_int_equal(stream.tail.status, PACK_SHRUNK);
	assert_int_equal(stream.tail.size, 20000);
	assert_true(stream.tail.changed & PACK_CHANGED_SIZE);

	what = item("shrinks");
	assert_int_equal(begin(&what), 0);
	assert_int_equal(write(fd, "more", 4), 4);
	close(fd);
	finish();
	assert_int_equal(stream.tail.status, PACK_GROWN);
	assert_int_equal(stream.tail.size, 20000);

	make("touched", 10);
	what = item("touched");
	assert_int_equal(begin(&what), 0);
	assert_int_equal(utimensat(dir.fd, "touched", times, 0), 0);
	finish();
	assert_int_equal(stream.tail.status, PACK_CHANGED);
	assert_true(stream.tail.changed & PACK_CHANGED_MTIME);
	assert_true(stream.tail.has_mtime && stream.tail.mtime.sec == 5);

	what = item("touched");
	assert_int_equal(begin(&what), 0);
	assert_int_equal(unlinkat(dir.fd, "touched", 0), 0);
	finish();
	assert_int_equal(stream.tail.status, PACK_VANISHED);
	assert_int_equal(stream.tail.size, 10); /* all of it was read */
}

static void gone_before(void **state)
{
	struct pack_scan_item what;

	(void)state;
	make("gone", 10);
	what = item("gone");
	assert_int_equal(unlinkat(dir.fd, "gone", 0), 0);
	assert_int_equal(begin(&what), 0);
	finish();
	assert_int_equal(stream.tail.status, PACK_VANISHED);
	assert_true(stream.tail.has_error && stream.tail.error == ENOENT);
	assert_int_equal(stream.tail.size, 0);

	/* A link in its place is not followed, another file is not taken for it. */
	assert_int_equal(symlinkat("/etc/passwd", dir.fd, "gone"), 0);
	assert_int_equal(begin(&what), 0);
	finish();
	assert_int_equal(stream.tail.status, PACK_VANISHED);
	assert_int_equal(unlinkat(dir.fd, "gone", 0), 0);
	make("gone", 20);
	what.st.st_ino ^= (ino_t)1 << 40; /* whatever inode number it got */
	assert_int_equal(begin(&what), 0);
	finish();
	assert_int_equal(stream.tail.status, PACK_VANISHED);
	assert_int_equal(stream.tail.size, 0);
	/* Nor is a FIFO; opening it does not even wait. */
	assert_int_equal(unlinkat(dir.fd, "gone", 0), 0);
	assert_int_equal(mkfifoat(dir.fd, "gone", 0600), 0);
	assert_int_equal(begin(&what), 0);
	finish();
	assert_int_equal(stream.tail.status, PACK_VANISHED);
}

static void no_content(void **state)
{
	struct pack_scan_item what;
	struct pack_head h;

	(void)state;
	assert_int_equal(symlinkat("to/../nowhere", dir.fd, "soft"), 0);
	what = item("soft");
	assert_int_equal(begin(&what), 0);
	h = head();
	assert_int_equal(h.target.len, 13);
	assert_int_equal(pack_feed_fill(part, &stream, NULL, &err), 0);
	assert_int_equal(pack_feed_end(part, &stream, NULL, &err), 0);
	assert_false(stream.tail.has_content);
	assert_int_equal(unlinkat(dir.fd, "soft", 0), 0);
	assert_int_equal(begin(&what), 1); /* left out */
	assert_true(stream.problem[0] != 0);
	assert_true(pack_part_empty(part));

	assert_int_equal(mkfifoat(dir.fd, "fifo", 0600), 0);
	what = item("fifo");
	assert_int_equal(begin(&what), 0);
	assert_int_equal(head().type, PACK_FIFO);
	assert_int_equal(stream.fd, -1);

	make("file", 10);
	what = item("file");
	pack_part_reset(part);
	assert_int_equal(
		pack_feed_begin(feed, part, &what,
			(struct pack_bytes){(const uint8_t *)"first/name", 10}, &stream, &err),
		0);
	h = head();
	assert_true(h.type == PACK_HARDLINK && h.link.len == 10 && h.has == 0);
	assert_int_equal(stream.fd, -1);
}

static void a_directory_not_listed(void **state)
{
	struct pack_scan_item what;

	(void)state;
	assert_int_equal(mkdirat(dir.fd, "dir", 0750), 0);
	what = item("dir");
	what.error = EACCES;
	assert_int_equal(begin(&what), 0);
	assert_int_equal(head().type, PACK_DIRECTORY);
	assert_int_equal(pack_feed_end(part, &stream, NULL, &err), 0);
	assert_int_equal(stream.tail.status, PACK_READ_ERROR);
	assert_int_equal(stream.tail.error, EACCES);
}

/* Files that claim to be empty, and are not. */
static void says_it_is_empty(void **state)
{
	struct pack_dir proc = {.fd = open("/proc/self", O_RDONLY | O_DIRECTORY)};
	struct pack_scan_item what = {
		.dir = &proc, .name = "status", .path = "status", .path_len = 6, .fd = -1};

	(void)state;
	assert_int_equal(fstatat(proc.fd, "status", &what.st, 0), 0);
	assert_int_equal(what.st.st_size, 0);
	assert_int_equal(begin(&what), 0);
	finish();
	assert_true(stream.tail.size > 100);
	close(proc.fd);
}

static void a_command(void **state)
{
	const struct pack_head command = {
		.type = PACK_COMMAND, .path = {(const uint8_t *)"out", 3}};
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "output", 6), 6);
	close(ends[1]);
	pack_part_reset(part);
	assert_int_equal(pack_part_head(part, &command, &err), 0);
	stream = (struct pack_stream){
		.fd = ends[0], .command = true, .tail = {.has_content = true, .has_exit = true}};
	assert_int_equal(head().type, PACK_COMMAND);
	finish();
	assert_int_equal(stream.tail.size, 6);
	assert_true(stream.tail.has_exit && stream.tail.status == PACK_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unchanged),
		cmocka_unit_test(holes),
		cmocka_unit_test(large_holes),
		cmocka_unit_test(large_holes_too_late),
		cmocka_unit_test(fates),
		cmocka_unit_test(gone_before),
		cmocka_unit_test(no_content),
		cmocka_unit_test(a_directory_not_listed),
		cmocka_unit_test(says_it_is_empty),
		cmocka_unit_test(a_command),
	};

	return hash_crypto_init(&err) != 0 ? 1
					   : cmocka_run_group_tests(tests, make_base, remove_base);
}
