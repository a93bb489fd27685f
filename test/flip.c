/*
 * Reads packs from memory, as fast as flips.py sends them.
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

#include "lib/le.h"
#include "test/reading.h"

#define CASE_MAX (16u << 20)

struct flip {
	struct reading reading;
	struct buf open; /* the name of the entry that spans blocks */
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

/* The good entries of a load that the reader has accepted. */
static int apply(void *ctx, struct pack_load *load, struct err *err)
{
	struct flip *f = ctx;
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

/* One case. Returns 0, or -1 with err set: the test program itself can't go on. */
static int one(struct flip *f, const uint8_t *data, size_t len, struct err *err)
{
	struct pack_reader *reader = pack_reader_new(false, true, false, on_problem, f, err);
	struct err refused = {0};
	char verdict;

	if (reader == NULL)
		return -1;
	f->problems = 0;
	f->reading.reader = reader;
	/* The names come before the verdict is known, which ends the line. */
	if (reading_stream(&f->reading, data, len, &refused) != 0)
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
	struct flip f = {.reading = {.apply = apply, .ctx = &f}};
	uint8_t *data = malloc(CASE_MAX), len_bytes[8];

	buf_init(&f.open, PACK_PATH_MAX + 1);
	if (data == NULL || reading_init(&f.reading, &err) != 0)
		goto out;
	f.reading.load->want_hash = f.reading.load->want_meta = true;
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
	reading_fini(&f.reading);
	buf_fini(&f.open);
	free(data);
	return err.code != ERR_NONE;
}
