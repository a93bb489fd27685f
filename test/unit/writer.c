/* pack/writer: a reader accepts its output completely, in any order of pressing, sealed or not;
 * numbers, indexes, END; errors of the sink. */
#include "test/unit/unit.h"

#include <stdbool.h>
#include <stdlib.h>

#include "lib/buf.h"
#include "lib/hash.h"
#include "lib/sums.h"
#include "pack/chain.h"
#include "pack/digest.h"
#include "pack/frame.h"
#include "pack/load.h"
#include "pack/part.h"
#include "pack/press.h"
#include "pack/reader.h"
#include "pack/writer.h"

#define PARTS 8

static struct err err;
static struct buf out;
static size_t sink_limit; /* the sink fails beyond this; 0: never */
static const uint8_t key[32] = {1, 2, 3}, key_payload[] = "as the key block has it";

static int sink(void *ctx, const void *head, size_t head_len, const void *body, size_t body_len,
	struct err *e)
{
	(void)ctx;
	if (sink_limit > 0 && out.len + head_len + body_len > sink_limit)
		return err_set(e, ERR_NOSPACE, "the sink is full");
	return buf_add(&out, head, head_len, e) != 0 || buf_add(&out, body, body_len, e) != 0 ? -1
											      : 0;
}

/* Fills a part with entries; each continues in the next part if `over`. */
static void fill(struct pack_part *part, unsigned number, unsigned entries, bool over)
{
	static const char content[] = "the same content in each of them";
	struct pack_tail tail = {.has_content = true, .size = sizeof content};
	struct pack_head head = {.type = PACK_REGULAR, .has = PACK_HAS_MODE};
	char path[200];
	unsigned i;

	hash_sha256(content, sizeof content, tail.sum);
	if (over && number > 0)
		assert_int_equal(pack_part_tail(part, &tail, &err), 0);
	for (i = 0; i < entries; i++) {
		int len = snprintf(path, sizeof path, "%03u-%0100u", number, i);

		head.path = (struct pack_bytes){(const uint8_t *)path, (size_t)len};
		assert_int_equal(pack_part_head(part, &head, &err), 0);
		memcpy(pack_part_room(part, sizeof content, &err), content, sizeof content);
		pack_part_took(part, sizeof content);
		if (i + 1 < entries || !over)
			assert_int_equal(pack_part_tail(part, &tail, &err), 0);
	}
}

/* Writes a pack of PARTS parts; pressed in the order of the numbers, or
 * backwards. Returns 0, or -1. */
static int write_pack(
	unsigned entries, bool over, bool sealed, bool backwards, struct pack_totals *totals)
{
	struct pack_writer_options options = {.id = PACK_REPRODUCIBLE_ID,
		.program = "test",
		.key_payload = sealed ? key_payload : NULL,
		.key_payload_len = sizeof key_payload};
	struct pack_press *press = pack_press_new(1, &err);
	struct pack_part *parts[PARTS];
	struct pack_writer *w;
	unsigned i;
	int got;

	buf_clear(&out);
	err = (struct err){0};
	if (sealed)
		assert_int_equal(pack_press_key(press, key, &err), 0);
	w = pack_writer_new(&options, press, sink, NULL, &err);
	got = pack_writer_start(w, &err);
	for (i = 0; i < PARTS; i++) {
		parts[i] = pack_part_new(PACK_PART_TARGET_MAX, &err);
		fill(parts[i], i, i + 1 < PARTS || !over ? entries : 0, over);
		pack_writer_number(w, parts[i]);
	}
	for (i = 0; i < PARTS; i++)
		assert_int_equal(
			pack_writer_press(press, parts[backwards ? PARTS - 1 - i : i], &err), 0);
	for (i = 0; i < PARTS && got == 0; i++)
		got = pack_writer_emit(w, parts[i], &err);
	if (got == 0)
		got = pack_writer_end(w, &err);
	pack_writer_totals(w, totals);
	for (i = 0; i < PARTS; i++)
		pack_part_free(parts[i]);
	pack_writer_free(w);
	pack_press_free(press);
	return got;
}

static void on_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what)
{
	(void)ctx, (void)kind, (void)path;
	fail_msg("offset %llu: %s", (unsigned long long)offset, what);
}

/* Reads the output; counts the INDEX blocks. */
static unsigned read_pack(const struct pack_totals *totals, bool sealed)
{
	struct pack_reader *reader = pack_reader_new(false, true, sealed, on_problem, NULL, &err);
	struct pack_press *press = pack_press_new(0, &err);
	struct pack_load *load = pack_load_new(&err);
	struct pack_digest *digest = pack_digest_new(&err);
	struct sums *sums = sums_new(&err);
	struct pack_read read;
	struct pack_chains chains = {0};
	struct pack_chain chain = {0};
	struct pack_frame frame;
	struct pack_block block;
	size_t at = 0, n;
	unsigned indexes = 0;

	assert_int_equal(pack_press_key(press, key, &err), 0);
	frame = (struct pack_frame){0};
	while (at < out.len) {
		assert_int_equal(pack_frame_step(&frame, out.data + at, out.len - at, true, &block,
					 &n, &err),
			PACK_FRAME_BLOCK);
		indexes += block.kind == PACK_INDEX;
		memcpy(pack_load_room(load, &block, &err), out.data + at + PACK_BLOCK_HEADER,
			block.stored_len);
		load->at = at;
		load->want_hash = load->want_meta = true;
		assert_int_equal(pack_load_open(load, press, digest, sums, &err), 0);
		assert_int_equal(pack_chain_begin(&chain, load, &err), 0);
		pack_chain_link(&chains, &chain, load);
		pack_chain_add(&chain, load);
		pack_chain_done(&chain);
		assert_int_equal(pack_reader_take(reader, load, &err), 0);
		at += n;
	}
	pack_reader_finish(reader, at);
	pack_reader_result(reader, &read);
	assert_int_equal(read.blocks, totals->blocks);
	assert_int_equal(read.entries, totals->entries);
	assert_int_equal(read.content, totals->content);
	assert_int_equal(totals->bytes, out.len);
	assert_int_equal(read.sealed, sealed);
	pack_reader_free(reader);
	pack_digest_free(chains.open);
	pack_press_free(press);
	pack_load_free(load);
	pack_digest_free(digest);
	sums_free(sums);
	return indexes;
}

static void reads_back(void **state)
{
	struct pack_totals totals;
	unsigned how;

	(void)state;
	for (how = 0; how < 4; how++) {
		bool over = how & 1, sealed = how & 2;

		assert_int_equal(write_pack(3, over, sealed, false, &totals), 0);
		assert_int_equal(totals.entries, over ? 3 * (PARTS - 1) : 3 * PARTS);
		assert_int_equal(read_pack(&totals, sealed), 1);
		/* So many that there are several indexes. */
		assert_int_equal(write_pack(1500, over, sealed, false, &totals), 0);
		assert_true(read_pack(&totals, sealed) >= 3);
	}
}

/* The order of pressing has no effect. */
static void any_order(void **state)
{
	struct pack_totals totals;
	uint8_t forth[HASH_LEN], back[HASH_LEN];

	(void)state;
	assert_int_equal(write_pack(1500, true, true, false, &totals), 0);
	hash_sha256(out.data, out.len, forth);
	assert_int_equal(write_pack(1500, true, true, true, &totals), 0);
	hash_sha256(out.data, out.len, back);
	assert_memory_equal(forth, back, HASH_LEN);
}

/* Wherever the sink fails, the error is returned. */
static void full_sink(void **state)
{
	struct pack_totals totals;
	size_t whole;

	(void)state;
	assert_int_equal(write_pack(100, true, true, false, &totals), 0);
	whole = out.len;
	for (sink_limit = 1; sink_limit < whole; sink_limit += 97) {
		assert_int_equal(write_pack(100, true, true, false, &totals), -1);
		assert_int_equal(err.code, ERR_NOSPACE);
	}
	sink_limit = whole;
	assert_int_equal(write_pack(100, true, true, false, &totals), 0);
	sink_limit = 0;
}

static void end_of_pack(void **state)
{
	struct pack_end end = {1, 2, 3, 4, 5, 6, {7}}, got;
	uint8_t bytes[PACK_END_LEN];

	(void)state;
	pack_end_put(&end, bytes);
	pack_end_get(&got, bytes);
	assert_memory_equal(&end, &got, sizeof end);
	assert_true(bytes[0] == 1 && bytes[40] == 6 && bytes[48] == 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back),
		cmocka_unit_test(any_order),
		cmocka_unit_test(full_sink),
		cmocka_unit_test(end_of_pack),
	};

	buf_init(&out, 64u << 20);
	return hash_crypto_init(&err) != 0 ? 1 : RUN(tests);
}
