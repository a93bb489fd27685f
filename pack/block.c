/* Block headers: fields at fixed offsets, and two checks. */
#include "pack/block.h"

#include <string.h>

#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"

static const uint8_t magic[4] = {PACK_BLOCK_MAGIC0, 'D', 'M', 'P'};

enum {
	AT_VERSION = 4,
	AT_KIND,
	AT_CODEC,
	AT_SEAL,
	AT_MUST = 8,
	AT_MAY = 10,
	AT_FIRST = 12,
	AT_ID = 16,
	AT_SEQ = 32,
	AT_RAW = 40,
	AT_STORED = 44,
	AT_CHECK = 48,
	AT_HEADER_CHECK = 56
};

void pack_block_put(const struct pack_block *block, uint8_t out[PACK_BLOCK_HEADER])
{
	memcpy(out, magic, sizeof magic);
	out[AT_VERSION] = PACK_BLOCK_VERSION;
	out[AT_KIND] = block->kind;
	out[AT_CODEC] = block->codec;
	out[AT_SEAL] = block->sealed;
	le_put16(out + AT_MUST, block->must);
	le_put16(out + AT_MAY, block->may);
	le_put32(out + AT_FIRST, block->first);
	memcpy(out + AT_ID, block->id, PACK_BLOCK_ID);
	le_put64(out + AT_SEQ, block->seq);
	le_put32(out + AT_RAW, block->raw_len);
	le_put32(out + AT_STORED, block->stored_len);
	le_put64(out + AT_CHECK, block->check);
	le_put64(out + AT_HEADER_CHECK, hash_xxh3(out, AT_HEADER_CHECK));
}

/* Checks the fields against the format's rules. Returns what is wrong, or NULL. */
static const char *wrong(const struct pack_block *b)
{
	uint32_t tag = b->sealed ? PACK_BLOCK_TAG : 0;

	if (b->codec > PACK_ZSTD)
		return "unknown codec";
	if (b->sealed > 1)
		return "unknown kind of sealing";
	if (b->raw_len == 0 || b->raw_len > (b->kind < PACK_VOLUME_KINDS ? PACK_BLOCK_RAW_MAX
									 : PACK_BLOCK_VOLUME_MAX))
		return "raw length is zero or over the limit";
	if (b->codec == PACK_RAW && b->stored_len != b->raw_len + tag)
		return "stored length is not the raw length";
	if (b->codec == PACK_ZSTD && (b->stored_len < tag || b->stored_len - tag >= b->raw_len))
		return "stored length is not below the raw length";
	if (b->first != PACK_BLOCK_NONE && (b->kind != PACK_ENTRY || b->first >= b->raw_len))
		return "first entry out of bounds";
	if (b->kind == PACK_START && b->seq != 0)
		return "START is not the first block";
	if ((b->kind == PACK_START || b->kind == PACK_KEY) && (b->codec != PACK_RAW || b->sealed))
		return "a block that must be plain is not";
	if (b->kind >= PACK_VOLUME_KINDS && (b->codec != PACK_RAW || b->sealed))
		return "a block of a volume is compressed or sealed as a whole";
	if (b->kind == PACK_END && b->codec != PACK_RAW)
		return "END is compressed";
	return NULL;
}

bool pack_block_begins(const uint8_t in[4])
{
	return memcmp(in, magic, sizeof magic) == 0;
}

int pack_block_get(struct pack_block *block, const uint8_t in[PACK_BLOCK_HEADER], struct err *err)
{
	const char *why;

	if (memcmp(in, magic, sizeof magic) != 0 ||
		le_get64(in + AT_HEADER_CHECK) != hash_xxh3(in, AT_HEADER_CHECK))
		return 1;
	if (in[AT_VERSION] != PACK_BLOCK_VERSION)
		return err_set(err, ERR_UNSUPPORTED,
			"block of version %u: this program reads version 1", in[AT_VERSION]);
	block->kind = in[AT_KIND];
	block->codec = in[AT_CODEC];
	block->sealed = in[AT_SEAL];
	block->must = le_get16(in + AT_MUST);
	block->may = le_get16(in + AT_MAY);
	block->first = le_get32(in + AT_FIRST);
	memcpy(block->id, in + AT_ID, PACK_BLOCK_ID);
	block->seq = le_get64(in + AT_SEQ);
	block->raw_len = le_get32(in + AT_RAW);
	block->stored_len = le_get32(in + AT_STORED);
	block->check = le_get64(in + AT_CHECK);
	if (block->must != 0)
		return err_set(err, ERR_UNSUPPORTED,
			"block needs feature bits %#x, which this program does not know",
			block->must);
	if ((why = wrong(block)) != NULL)
		return err_set(err, ERR_FORMAT, "block header: %s", why);
	return 0;
}

const char *pack_block_name(uint8_t kind)
{
	static const char *const names[] = {"?", "START", "KEY", "ENTRY", "INDEX", "END"};

	return kind <= PACK_END ? names[kind] : "?";
}
