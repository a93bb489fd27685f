/* Compresses, then seals, then computes the check; and the reverse. */
#include "pack/press.h"

#include <stdlib.h>

#include "lib/err.h"
#include "lib/gcm.h"
#include "lib/hash.h"
#include "lib/mem.h"
#include "lib/seal.h"
#include "lib/zst.h"
#include "pack/block.h"

struct pack_press {
	struct zst *zst;
	struct gcm *seal;
	int level;
};

struct pack_press *pack_press_new(int level, struct err *err)
{
	struct pack_press *press = mem_new(sizeof *press, err);

	if (press == NULL)
		return NULL;
	press->level = level;
	press->zst = zst_new(level, err);
	if (press->zst == NULL) {
		free(press);
		return NULL;
	}
	return press;
}

void pack_press_free(struct pack_press *press)
{
	if (press == NULL)
		return;
	zst_free(press->zst);
	gcm_free(press->seal);
	free(press);
}

int pack_press_key(struct pack_press *press, const uint8_t *key, struct err *err)
{
	gcm_free(press->seal);
	press->seal = key != NULL ? gcm_new(key, SEAL_KEY_LEN, err) : NULL;
	return key == NULL || press->seal != NULL ? 0 : -1;
}

int pack_press_close(struct pack_press *press, struct pack_block *block, const uint8_t *raw,
	uint8_t *packed, const uint8_t **stored, struct err *err)
{
	uint8_t header[PACK_BLOCK_HEADER], nonce[SEAL_NONCE_LEN];
	size_t len = block->raw_len;
	int got;

	*stored = raw;
	if (block->codec == PACK_ZSTD && (press->level == 0 || len < 2))
		block->codec = PACK_RAW;
	if (block->codec == PACK_ZSTD) {
		got = zst_pack(press->zst, raw, len, packed, len - 1, &len, err);
		if (got < 0)
			return -1;
		if (got == 0) {
			*stored = packed;
		} else {
			block->codec = PACK_RAW;
			len = block->raw_len;
		}
	}
	block->stored_len = (uint32_t)len;
	if (block->sealed) {
		block->stored_len += PACK_BLOCK_TAG;
		pack_block_put(block, header);
		seal_nonce(block->seq, nonce);
		if (seal_seal(press->seal, nonce, header, PACK_BLOCK_BOUND, *stored, len, packed,
			    err) != 0)
			return -1;
		*stored = packed;
	}
	block->check = hash_xxh3(*stored, block->stored_len);
	return 0;
}

int pack_press_open(struct pack_press *press, const struct pack_block *block, uint8_t *stored,
	uint8_t *unpacked, const uint8_t **raw, struct err *err)
{
	uint8_t header[PACK_BLOCK_HEADER], nonce[SEAL_NONCE_LEN];
	size_t len = block->stored_len;
	int got;

	if (hash_xxh3(stored, len) != block->check)
		return err_set(err, ERR_DAMAGE, "the payload's checksum does not match");
	if (block->sealed) {
		if (press->seal == NULL)
			return err_set(err, ERR_DENIED, "sealed: a key is needed (--key FILE)");
		pack_block_put(block, header);
		seal_nonce(block->seq, nonce);
		got = seal_open(
			press->seal, nonce, header, PACK_BLOCK_BOUND, stored, len, stored, err);
		if (got < 0)
			return -1;
		if (got > 0)
			return err_set(err, ERR_DAMAGE, "payload is not authentic");
		len -= PACK_BLOCK_TAG;
	}
	*raw = stored;
	if (block->codec == PACK_ZSTD) {
		if (zst_unpack(press->zst, stored, len, unpacked, block->raw_len, err) != 0)
			return -1;
		*raw = unpacked;
	}
	return 0;
}
