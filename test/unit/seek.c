/* pack/seek: golden packs are read from their end; damage there leads to a refusal, and is never
 * trusted. */
#include "test/unit/unit.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/hash.h"
#include "pack/seek.h"

static struct err err;
static uint8_t bytes[65536];
static size_t len;

/* A golden pack, concatenated `times` times. */
static int file_of(const char *name, int times)
{
	int fd = memfd_create("seek", MFD_CLOEXEC);
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "test/data/golden/%s.fdump", name);
	f = fopen(path, "re");
	assert_non_null(f);
	len = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	assert_true(fd >= 0 && len > 0 && len < sizeof bytes);
	while (times-- > 0)
		assert_int_equal(write(fd, bytes, len), len);
	return fd;
}

/* What was found of members. */
struct met {
	uint64_t heads, size, tails, wrong;
};

static int on_head(void *ctx, const struct pack_head *head, struct err *e)
{
	struct met *met = ctx;

	(void)e;
	assert_null(pack_path_wrong(head->path.at, head->path.len));
	met->heads++;
	return 0;
}

static int on_data(void *ctx, const uint8_t *at, size_t n, struct err *e)
{
	struct met *met = ctx;

	(void)at;
	(void)e;
	met->size += n;
	return 0;
}

static int on_hole(void *ctx, uint64_t n, struct err *e)
{
	return on_data(ctx, NULL, n, e);
}

static int on_tail(
	void *ctx, const struct pack_tail *tail, enum pack_verdict verdict, struct err *e)
{
	struct met *met = ctx;

	(void)e;
	met->tails++;
	met->size -= tail->size;
	met->wrong += verdict != PACK_GOOD;
	return 0;
}

/* Reads everything backwards; returns the number of entries, or -1. */
static int64_t read_back(int fd, struct met *met, uint32_t *packs)
{
	struct pack_seek_options options = {.fd = fd};
	struct pack_seek_sink sink = {on_head, on_data, on_hole, on_tail, met};
	struct pack_seek_hand *hand = pack_seek_hand_new(&err);
	struct pack_seek *seek = pack_seek_open(&options, &err);
	struct pack_seek_place place = {0};
	struct pack_index_record record;
	struct pack_index index;
	int64_t entries = 0;
	int got = -1;

	assert_non_null(hand);
	while (seek != NULL && (got = pack_seek_back(seek, hand, &place, &err)) == 0) {
		got = pack_seek_index(seek, hand, &place, &index, &err);
		while (got == 0 && (got = pack_index_next(&index, &record, &err)) == 0) {
			entries++;
			got = pack_seek_member(seek, hand, place.pack, &record, &sink, &err);
		}
		if (got < 0)
			break;
	}
	*packs = place.pack + 1;
	pack_seek_free(seek);
	pack_seek_hand_free(hand);
	return got < 0 ? -1 : entries;
}

static void golden_packs(void **state)
{
	static const char *const names[] = {
		"plain", "compressed", "reproducible", "holes", "links", "command"};
	struct met met;
	uint32_t packs;
	int64_t n;
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < sizeof names / sizeof *names; i++) {
		fd = file_of(names[i], 1);
		memset(&met, 0, sizeof met);
		n = read_back(fd, &met, &packs);
		assert_true(n > 1);
		assert_int_equal(packs, 1);
		assert_int_equal(met.heads, n);
		assert_int_equal(met.tails, n);
		assert_int_equal(met.size, 0);
		assert_int_equal(met.wrong, 0);
		close(fd);
		fd = file_of(names[i], 5);
		assert_int_equal(read_back(fd, &met, &packs), 5 * n);
		assert_int_equal(packs, 5);
		close(fd);
	}
}

/* Each flipped byte: either the same is read, or it is refused, or a member's checksum shows it. */
static void flips(void **state)
{
	struct met met = {0};
	uint32_t packs;
	int64_t n;
	size_t i;
	int fd = file_of("plain", 1);

	(void)state;
	n = read_back(fd, &met, &packs);
	for (i = 0; i < len; i++) {
		uint8_t b = bytes[i] ^ 0x10;

		assert_int_equal(pwrite(fd, &b, 1, (off_t)i), 1);
		memset(&met, 0, sizeof met);
		err.code = ERR_NONE;
		if (read_back(fd, &met, &packs) < 0)
			assert_true(err.code == ERR_DAMAGE || err.code == ERR_FORMAT ||
				    err.code == ERR_UNSUPPORTED);
		else
			assert_true(met.heads == (uint64_t)n && met.wrong == 0);
		assert_int_equal(pwrite(fd, &bytes[i], 1, (off_t)i), 1);
	}
	for (i = 0; i < len; i++) { /* cut */
		assert_int_equal(ftruncate(fd, (off_t)(len - 1 - i)), 0);
		assert_int_equal(read_back(fd, &met, &packs), -1);
	}
	close(fd);
}

static void what_can_be_read(void **state)
{
	int ends[2], fd = file_of("plain", 1);

	(void)state;
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_true(pack_seek_can(fd));
	close(fd);
	assert_int_equal(pipe(ends), 0);
	assert_false(pack_seek_can(ends[0]));
	close(ends[0]);
	close(ends[1]);
	fd = file_of("plain", 0);
	assert_null(pack_seek_open(&(struct pack_seek_options){.fd = fd}, &err));
	assert_int_equal(err.code, ERR_DAMAGE);
	close(fd);
	/* A key was given, but the pack is not sealed. */
	fd = file_of("plain", 1);
	assert_null(pack_seek_open(&(struct pack_seek_options){.fd = fd, .need_key = true}, &err));
	assert_int_equal(err.code, ERR_DENIED);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_packs),
		cmocka_unit_test(flips),
		cmocka_unit_test(what_can_be_read),
	};

	if (hash_crypto_init(&err) != 0)
		return 1;
	return RUN(tests);
}
