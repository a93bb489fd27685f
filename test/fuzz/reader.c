/*
 * The whole machine that reads packs: framing, loads, reader, entries. Input:
 * a byte (bit 0: make the checks anew; bit 2: what is not sealed is refused),
 * the stream. It is read twice: by one who proves, and by one who lists.
 *
 * What must hold: the counts agree with what was handed out; the reader that
 * proves nothing finds no more wrong than the one that does.
 */
#include "test/fuzz/fuzz.h"

#include "lib/err.h"
#include "lib/sums.h"
#include "pack/follow.h"
#include "pack/frame.h"
#include "pack/load.h"
#include "pack/press.h"
#include "pack/reader.h"

/* The linker puts this in place of the true one: a hole of terabytes is hashed
 * in hours, which is known. What has one is then wrong, as ever. */
void __real_hash_add_zeros(struct hash *hash, uint64_t len);
void __wrap_hash_add_zeros(struct hash *hash, uint64_t len);

void __wrap_hash_add_zeros(struct hash *hash, uint64_t len)
{
	__real_hash_add_zeros(hash, len < 65536 ? len : 65536);
}

struct run {
	struct pack_load *load;
	struct pack_press *press;
	struct hash *hash;
	struct sums *sums;
	struct pack_reader *reader;
	struct pack_follow follow;
	uint64_t problems, entries;
	size_t len;
};

static void on_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what)
{
	struct run *r = ctx;

	MUST(kind <= PACK_PROBLEM_END && what != NULL && what[0] != 0);
	/* A lost entry is where an index says, and that may lie. */
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

static int take(struct run *r, const uint8_t *at, uint64_t offset, const struct pack_block *block,
	bool misplaced, struct err *err)
{
	uint8_t *to = pack_load_room(r->load, block, err);

	if (to == NULL)
		return -1;
	memcpy(to, at + PACK_BLOCK_HEADER, block->stored_len);
	r->load->at = offset;
	r->load->misplaced = misplaced;
	if (pack_load_open(r->load, r->press, r->hash, r->sums, err) != 0 ||
		pack_reader_take(r->reader, r->load, err) != 0)
		return -1;
	return pack_follow_load(&r->follow, r->load, on_entry, r, err);
}

/* Reads the stream. Returns 0 at its end, -1 refused. */
static int read_stream(struct run *r, const uint8_t *data, size_t len, struct err *err)
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
			pack_reader_trailing(r->reader, at);
		if (got == PACK_FRAME_TRAILING || got == PACK_FRAME_END)
			break;
		MUST(got != PACK_FRAME_MORE && n > 0);
		if (got == PACK_FRAME_SKIP) {
			pack_reader_garbage(r->reader, at, n);
		} else if (n > len - at) {
			break; /* cut within the block */
		} else if (take(r, data + at, at, &block, got == PACK_FRAME_MISPLACED, err) != 0) {
			return -1;
		}
		at += n;
	}
	pack_reader_finish(r->reader, at);
	return 0;
}

static void run_once(struct run *r, const uint8_t *data, size_t len, bool prove, bool sealed,
	struct pack_read *read)
{
	struct err err = {0};
	int got;

	r->problems = r->entries = 0;
	r->len = len;
	r->load->want_hash = r->load->want_meta = prove;
	r->reader = pack_reader_new(prove, sealed, on_problem, r, &err);
	MUST(r->reader != NULL);
	pack_follow_init(&r->follow);
	got = read_stream(r, data, len, &err);
	MUST((got != 0) == (err.code != ERR_NONE));
	pack_reader_result(r->reader, read);
	MUST(read->problems == r->problems);
	MUST(got != 0 || read->entries == r->entries);
	MUST(got != 0 || read->packs > 0 || r->problems > 0);
	pack_follow_fini(&r->follow);
	pack_reader_free(r->reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct run r;
	struct pack_read proved, listed;
	uint8_t *stream;

	if (r.load == NULL) {
		static const uint8_t key[32] = {1};

		MUST(hash_crypto_init(NULL) == 0);
		r.load = pack_load_new(NULL);
		r.press = pack_press_new(0, NULL);
		r.hash = hash_new(NULL);
		r.sums = sums_new(NULL);
		MUST(r.load != NULL && r.press != NULL && r.hash != NULL && r.sums != NULL);
		MUST(pack_press_key(r.press, key, NULL) == 0);
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
