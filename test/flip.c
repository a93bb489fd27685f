/*
 * Reads packs out of memory, as fast as they come: flips.py feeds it.
 *
 * Standard input: again and again a length (8 bytes, little-endian) and a
 * pack. Standard output: a line for each: the names of the entries that were
 * proved good, then 0 for a good pack or 1 for a damaged one.
 *
 * The same framing, loads and reader as `fdump verify`, on one thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/hash.h"
#include "lib/sums.h"
#include "lib/le.h"
#include "pack/frame.h"
#include "pack/load.h"
#include "pack/press.h"
#include "pack/reader.h"

#define CASE_MAX (16u << 20)

struct flip {
	struct pack_load *load;
	struct pack_press *press;
	struct hash *hash;
	struct sums *sums;
	struct buf open; /* the name of the entry that goes over blocks */
	unsigned problems;
};

static void on_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what)
{
	struct flip *f = ctx;

	(void)kind, (void)offset, (void)path, (void)what;
	f->problems++;
}

static void print_name(const void *name, size_t len)
{
	putchar(' ');
	fwrite(name, 1, len, stdout);
}

/* The good entries of a load that the reader has taken. */
static int apply(struct flip *f, struct err *err)
{
	struct pack_load *load = f->load;
	struct pack_member *m;
	size_t count, i;

	if (load->lead_live && load->lead_ends && load->lead_verdict == PACK_GOOD)
		print_name(f->open.data, f->open.len);
	if (!load->usable)
		return 0;
	m = pack_load_members(load, &count);
	for (i = 0; i < count; i++)
		if (m[i].verdict == PACK_GOOD)
			print_name(m[i].head.path.at, m[i].head.path.len);
	if (!load->has_trail)
		return 0;
	buf_clear(&f->open);
	return buf_add(&f->open, load->trail.head.path.at, load->trail.head.path.len, err);
}

/* One block. Returns 0, or -1 with err set. */
static int take(struct flip *f, struct pack_reader *reader, const uint8_t *at, uint64_t offset,
	const struct pack_block *block, bool misplaced, struct err *err)
{
	uint8_t *to = pack_load_room(f->load, block, err);

	if (to == NULL)
		return -1;
	memcpy(to, at + PACK_BLOCK_HEADER, block->stored_len);
	f->load->at = offset;
	f->load->misplaced = misplaced;
	f->load->want_hash = f->load->want_meta = true;
	if (pack_load_open(f->load, f->press, f->hash, f->sums, err) != 0 ||
		pack_reader_take(reader, f->load, err) != 0)
		return -1;
	return apply(f, err);
}

/* Reads a pack. Returns 0 (f->problems says how well), or -1 with err set. */
static int read_pack(struct flip *f, struct pack_reader *reader, const uint8_t *data, size_t len,
	struct err *err)
{
	struct pack_frame frame;
	struct pack_block block;
	enum pack_frame_got got;
	size_t at = 0, n = 0;

	pack_frame_init(&frame);
	for (;;) {
		got = pack_frame_step(&frame, data + at, len - at, true, &block, &n, err);
		if (got == PACK_FRAME_REFUSED)
			return -1;
		if (got == PACK_FRAME_TRAILING)
			pack_reader_trailing(reader, at);
		if (got == PACK_FRAME_TRAILING || got == PACK_FRAME_END)
			break;
		if (got == PACK_FRAME_SKIP) {
			pack_reader_garbage(reader, at, n);
		} else if (n > len - at) {
			break; /* cut within the block */
		} else if (take(f, reader, data + at, at, &block, got == PACK_FRAME_MISPLACED,
				   err) != 0) {
			return -1;
		}
		at += n;
	}
	pack_reader_finish(reader, at);
	return 0;
}

/* One case. Returns 0, or -1 with err set: the harness itself can't go on. */
static int one(struct flip *f, const uint8_t *data, size_t len, struct err *err)
{
	struct pack_reader *reader = pack_reader_new(true, false, on_problem, f, err);
	struct err refused = {0};
	char verdict;

	if (reader == NULL)
		return -1;
	f->problems = 0;
	/* The names come before the verdict is known: it ends the line. */
	if (read_pack(f, reader, data, len, &refused) != 0)
		f->problems++;
	pack_reader_free(reader);
	verdict = f->problems > 0 ? '1' : '0';
	if (refused.code == ERR_NOMEM)
		return err_set(err, ERR_NOMEM, "%s", refused.message);
	printf(" %c\n", verdict);
	fflush(stdout);
	return 0;
}

int main(void)
{
	struct err err = {0};
	struct flip f = {0};
	uint8_t *data = malloc(CASE_MAX), len_bytes[8];

	buf_init(&f.open, PACK_PATH_MAX + 1);
	if (data == NULL || hash_crypto_init(&err) != 0 || (f.load = pack_load_new(&err)) == NULL ||
		(f.press = pack_press_new(0, &err)) == NULL || (f.hash = hash_new(&err)) == NULL ||
		(f.sums = sums_new(&err)) == NULL)
		goto out;
	while (fread(len_bytes, 1, sizeof len_bytes, stdin) == sizeof len_bytes) {
		uint64_t len = le_get64(len_bytes);

		if (len > CASE_MAX || fread(data, 1, (size_t)len, stdin) != len) {
			err_set(&err, ERR_FORMAT, "a case is too long, or cut");
			break;
		}
		if (one(&f, data, (size_t)len, &err) != 0)
			break;
	}
out:
	if (err.code != ERR_NONE)
		fprintf(stderr, "flip: %s\n", err.message);
	hash_free(f.hash);
	sums_free(f.sums);
	pack_press_free(f.press);
	pack_load_free(f.load);
	buf_fini(&f.open);
	free(data);
	return err.code != ERR_NONE;
}
