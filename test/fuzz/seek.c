/* Packs read from their end: arbitrary bytes are refused or read, within bounds. The first byte: 1,
 * checks are made right first; 4, a key was given. */
#include "test/fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "lib/err.h"
#include "pack/seek.h"

/* A hole may have 16 TiB: hashing zeros is tested elsewhere. */
void __real_hash_add_zeros(struct hash *hash, uint64_t len);
void __wrap_hash_add_zeros(struct hash *hash, uint64_t len);
void __wrap_hash_add_zeros(struct hash *hash, uint64_t len)
{
	__real_hash_add_zeros(hash, len < 65536 ? len : 65536);
}

static int open_key(void *ctx, const uint8_t *payload, size_t len, uint8_t key[32], struct err *err)
{
	(void)ctx;
	(void)payload;
	(void)len;
	(void)err;
	memset(key, 0, 32);
	key[0] = 1;
	return 0;
}

static int on_data(void *ctx, const uint8_t *bytes, size_t len, struct err *err)
{
	volatile uint8_t touch;

	(void)ctx;
	(void)err;
	MUST(len > 0);
	touch = bytes[0];
	touch = bytes[len - 1];
	(void)touch;
	return 0;
}

static int on_tail(
	void *ctx, const struct pack_tail *tail, enum pack_verdict verdict, struct err *err)
{
	(void)ctx;
	(void)tail;
	(void)err;
	MUST(verdict == PACK_GOOD || verdict == PACK_WRONG);
	return 0;
}

/* All records of an INDEX, and the content of some. */
static void read_index(struct pack_seek *seek, struct pack_seek_hand *hand,
	const struct pack_seek_place *place, size_t *members)
{
	struct pack_seek_sink sink = {.data = on_data, .tail = on_tail};
	struct pack_index_record record;
	struct pack_index index;
	struct err err = {0};
	int got;

	if (pack_seek_index(seek, hand, place, &index, &err) != 0) {
		MUST(err.code != ERR_NONE);
		return;
	}
	while ((got = pack_index_next(&index, &record, &err)) == 0 || got == 2) {
		if (got == 2)
			continue;
		MUST(pack_path_wrong(record.head.path.at, record.head.path.len) == NULL);
		if (++*members > 16)
			continue;
		err.code = ERR_NONE;
		got = pack_seek_member(seek, hand, place->pack, &record, &sink, &err);
		MUST((got != 0) == (err.code != ERR_NONE));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct pack_seek_hand *hand;
	struct pack_seek_options options = {.open_key = open_key};
	struct pack_seek_place place;
	struct pack_seek *seek;
	struct err err = {0};
	size_t members = 0;
	uint64_t before = UINT64_MAX;
	uint8_t *stream;
	int got;

	if (len < 1 || len > 65536)
		return 0;
	MUST(hash_crypto_init(NULL) == 0);
	stream = fuzz_copy(data + 1, len - 1);
	if (data[0] & 1)
		fuzz_fix_checks(stream, len - 1);
	options.need_key = data[0] & 4;
	options.fd = memfd_create("fuzz", MFD_CLOEXEC);
	MUST(options.fd >= 0 && write(options.fd, stream, len - 1) == (ssize_t)len - 1);
	hand = pack_seek_hand_new(NULL);
	MUST(hand != NULL);
	seek = pack_seek_open(&options, &err);
	MUST((seek == NULL) == (err.code != ERR_NONE));
	while (seek != NULL && (got = pack_seek_back(seek, hand, &place, &err)) != 1) {
		MUST((got != 0) == (err.code != ERR_NONE));
		if (got != 0)
			break;
		MUST(place.at < before && pack_seek_start(seek, place.pack) < place.at);
		before = place.at;
		read_index(seek, hand, &place, &members);
	}
	pack_seek_free(seek);
	pack_seek_hand_free(hand);
	close(options.fd);
	free(stream);
	return 0;
}
