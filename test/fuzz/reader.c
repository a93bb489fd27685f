/*
 * The whole state machine that reads packs: framing, loads, reader, entries. Input:
 * a byte (bit 0: recompute the checks; bit 2: refuse packs that are not sealed),
 * the stream. It is read twice: with and without proof of the contents.
 *
 * What must hold: the counts agree with the entries that were delivered; the reader
 * without proof finds no more problems than the one with it.
 */
#include "test/fuzz/fuzz.h"

#include "pack/follow.h"
#include "test/reading.h"

/* The linker puts this in place of the real function: hashing a hole of terabytes takes hours,
 * which is known. The digest of such a file is then wrong, which is allowed. */
void __real_hash_add_zeros(struct hash *hash, uint64_t len);
void __wrap_hash_add_zeros(struct hash *hash, uint64_t len);

void __wrap_hash_add_zeros(struct hash *hash, uint64_t len)
{
	__real_hash_add_zeros(hash, len < 65536 ? len : 65536);
}

struct run {
	struct reading reading;
	struct pack_follow follow;
	uint64_t problems, entries;
	size_t len;
};

static void on_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what)
{
	struct run *r = ctx;

	MUST(kind <= PACK_PROBLEM_END && what != NULL && what[0] != 0);
	/* A lost entry is where an index says, and an index may lie. */
	MUST(offset <= r->len || kind == PACK_PROBLEM_ENTRY);
	MUST(path.at == NULL || pack_path_wrong(path.at, path.len) == NULL);
	r->problems++;
}

static int on_entry(void *ctx, const struct pack_followed *e, struct err *err)
{
	struct run *r = ctx;

	(void)err;
	MUST(pack_path_wrong(e->head->path.at, e->head->path.len) == NULL);
	MUST(e->verdict != PACK_REFUSED && e->block < r->len);
	MUST(pack_tail_fits(e->head, e->tail, NULL) == 0);
	r->entries++;
	return 0;
}

static int apply(void *ctx, struct pack_load *load, struct err *err)
{
	struct run *r = ctx;

	return pack_follow_load(&r->follow, load, on_entry, r, err);
}

static void run_once(struct run *r, const uint8_t *data, size_t len, bool prove, bool sealed,
	struct pack_read *read)
{
	struct err err = {0};
	int got;

	r->problems = r->entries = 0;
	r->len = len;
	r->reading.load->want_hash = r->reading.load->want_meta = prove;
	r->reading.reader = pack_reader_new(false, prove, sealed, on_problem, r, &err);
	MUST(r->reading.reader != NULL);
	pack_follow_init(&r->follow);
	got = reading_stream(&r->reading, data, len, &err);
	MUST((got != 0) == (err.code != ERR_NONE));
	pack_reader_result(r->reading.reader, read);
	MUST(read->problems == r->problems);
	MUST(got != 0 || read->entries == r->entries);
	MUST(got != 0 || read->packs > 0 || r->problems > 0);
	pack_follow_fini(&r->follow);
	pack_reader_free(r->reading.reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct run r = {.reading = {.apply = apply, .ctx = &r}};
	struct pack_read proved, listed;
	uint8_t *stream;

	if (r.reading.load == NULL) {
		static const uint8_t key[32] = {1};

		MUST(reading_init(&r.reading, NULL) == 0);
		MUST(pack_press_key(r.reading.press, key, NULL) == 0);
	}
	if (len < 1 || len > 65536)
		return 0;
	stream = fuzz_copy(data + 1, len - 1);
	if (data[0] & 1)
		fuzz_fix_checks(stream, len - 1);
	run_once(&r, stream, len - 1, true, data[0] & 4, &proved);
	run_once(&r, stream, len - 1, false, data[0] & 4, &listed);
	MUST(listed.problems <= proved.problems && listed.entries >= proved.entries);
	free(stream);
	return 0;
}
