/* pack/outcome: entries that are not restored are remembered, and files that may be the same are
 * read. */
#include "test/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hash.h"
#include "pack/extract.h"

#define NOTHING 99 /* no problem was reported */

static unsigned met; /* the kind of the last problem */

static void on_problem(void *ctx, struct pack_bytes path, enum pack_outcome_kind kind, int errnum,
	const char *what)
{
	(void)ctx;
	(void)path;
	(void)errnum;
	(void)what;
	met = kind;
}

static const struct pack_extract_options options = {
	.overwrite = PACK_OVERWRITE_NEVER, .problem = on_problem};

static struct pack_bytes path_of(const char *text)
{
	return (struct pack_bytes){(const uint8_t *)text, strlen(text)};
}

/* The problem reported for a hard link to this path, which is `name` in `dir`. */
static unsigned link_to(struct pack_outcome *o, const char *path, int dir, const char *name)
{
	bool foreign;

	met = NOTHING;
	foreign = pack_outcome_foreign(o, path_of("link"), path_of(path), dir, name);
	assert_int_equal(foreign, met != NOTHING);
	return met;
}

static void lose(struct pack_outcome *o, const char *path)
{
	pack_outcome_begin(o);
	pack_outcome_end(o, path_of(path), NULL);
}

static void restore(struct pack_outcome *o, const char *path)
{
	pack_outcome_begin(o);
	pack_outcome_done(o, path_of(path));
	pack_outcome_end(o, path_of(path), NULL);
}

/* An entry of this type, size and time is not restored, because such a file exists. */
static void keep(struct pack_outcome *o, const char *path, enum pack_type type, const uint8_t *sum)
{
	const struct pack_head head = {
		.type = type, .has = PACK_HAS_SIZE | PACK_HAS_MTIME, .size = 7, .mtime = {1000, 0}};
	const struct stat there = {
		.st_mode = S_IFREG | 0600, .st_size = 7, .st_mtim = {.tv_sec = 1000}};

	pack_outcome_begin(o);
	pack_outcome_kept(o, path_of(path), &head, &there, -1, sum);
	pack_outcome_end(o, path_of(path), sum);
}

static void is_known_until_restored(void **state)
{
	struct pack_outcome o;

	(void)state;
	pack_outcome_init(&o, &options);
	assert_int_equal(link_to(&o, "a", -1, "none"), NOTHING);
	restore(&o, "a");
	lose(&o, "a");
	keep(&o, "b", PACK_FIFO, NULL);
	restore(&o, "a");
	assert_int_equal(link_to(&o, "a", -1, "none"), NOTHING);
	assert_int_equal(link_to(&o, "b", -1, "none"), PACK_OUTCOME_KEPT);
	assert_int_equal(link_to(&o, "c", -1, "none"), NOTHING);
	pack_outcome_begin(&o);
	pack_outcome_problem(&o, path_of("a"), PACK_OUTCOME_ABSENT, "vanished");
	pack_outcome_end(&o, path_of("a"), NULL);
	assert_int_equal(link_to(&o, "a", -1, "none"), PACK_OUTCOME_ABSENT);
	pack_outcome_fini(&o);
}

/* Loses "0", "1" and so on. */
static void lose_many(struct pack_outcome *o, unsigned from, unsigned to)
{
	char path[16];

	for (; from < to; from++) {
		snprintf(path, sizeof path, "%u", from);
		lose(o, path);
	}
}

static void without_room_nothing_is_restored(void **state)
{
	struct pack_outcome o;

	(void)state;
	pack_outcome_init(&o, &options);
	lose_many(&o, 0, 100000);
	assert_false(o.full);
	assert_int_equal(link_to(&o, "99999", -1, "none"), PACK_OUTCOME_LOST);
	assert_int_equal(link_to(&o, "100000", -1, "none"), NOTHING);
	lose_many(&o, 100000, 2000000);
	assert_true(o.full);
	assert_int_equal(link_to(&o, "99999", -1, "none"), PACK_OUTCOME_LOST);
	assert_int_equal(link_to(&o, "3000000", -1, "none"), PACK_OUTCOME_KEPT);
	pack_outcome_fini(&o);
}

static void the_same_is_read(void **state)
{
	char dir[] = "/tmp/fdump-outcome.XXXXXX";
	struct pack_outcome o;
	uint8_t sum[HASH_LEN];
	int at, fd;

	(void)state;
	pack_outcome_init(&o, &options);
	assert_non_null(mkdtemp(dir));
	at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(at, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "content", 7), 7);
	close(fd);
	hash_sha256("content", 7, sum);
	keep(&o, "f", PACK_REGULAR, sum);
	sum[0] ^= 1;
	keep(&o, "other", PACK_REGULAR, sum);
	keep(&o, "none", PACK_REGULAR, sum);
	assert_int_equal(link_to(&o, "f", at, "f"), NOTHING);
	assert_int_equal(link_to(&o, "other", at, "f"), PACK_OUTCOME_KEPT);
	assert_int_equal(link_to(&o, "none", at, "none"), PACK_OUTCOME_KEPT);
	assert_int_equal(link_to(&o, "f", -1, "f"), NOTHING);
	unlinkat(at, "f", 0);
	close(at);
	rmdir(dir);
	pack_outcome_fini(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_known_until_restored),
		cmocka_unit_test(without_room_nothing_is_restored),
		cmocka_unit_test(the_same_is_read),
	};

	return hash_crypto_init(NULL) != 0 ? 1 : RUN(tests);
}
