#include "cmd/store/receipt.h"

#include <assert.h>
#include <string.h>

#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"

static const char label[] = "fdump receipt 1"; /* its NUL is signed too */

#define TEXT_MAX                                                                                   \
	(sizeof label + STORE_UID_LEN + STORE_DUMP_ID + HASH_LEN + 8 + (size_t)STORE_NAME_MAX)

/* Writes the message that is signed. Returns its length. */
static size_t signed_text(
	uint8_t text[TEXT_MAX], const struct store_receipt *r, const char *agent, size_t agent_len)
{
	uint8_t *at = text;

	assert(agent_len <= STORE_NAME_MAX);
	memcpy(at, label, sizeof label);
	at += sizeof label;
	memcpy(at, r->store, sizeof r->store);
	at += sizeof r->store;
	memcpy(at, r->dump, sizeof r->dump);
	at += sizeof r->dump;
	memcpy(at, r->record, sizeof r->record);
	at += sizeof r->record;
	le_put64(at, (uint64_t)r->time);
	at += 8;
	memcpy(at, agent, agent_len);
	return (size_t)(at - text) + agent_len;
}

int store_receipt_make(struct store_receipt *r, const uint8_t uid[STORE_UID_LEN],
	const uint8_t secret[SEAL_SIGN_LEN], const struct store_dump *dump, const uint8_t *record,
	size_t len, int64_t time, struct err *err)
{
	uint8_t text[TEXT_MAX];

	r->time = time;
	memcpy(r->store, uid, sizeof r->store);
	memcpy(r->dump, dump->id, sizeof r->dump);
	hash_sha256(record, len, r->record);
	return seal_sign(secret, text, signed_text(text, r, dump->agent, dump->agent_len),
		r->signature, err);
}

int store_receipt_check(const struct store_receipt *r, const uint8_t uid[STORE_UID_LEN],
	const uint8_t public[SEAL_SIGN_LEN], const struct store_dump *dump, const uint8_t *record,
	size_t len, struct err *err)
{
	uint8_t text[TEXT_MAX], sum[HASH_LEN];

	hash_sha256(record, len, sum);
	if (memcmp(r->store, uid, sizeof r->store) != 0 ||
		memcmp(r->dump, dump->id, sizeof r->dump) != 0 ||
		memcmp(r->record, sum, sizeof sum) != 0)
		return err_set(err, ERR_DENIED, "the receipt is of another store or dump");
	if (seal_verify(public, text, signed_text(text, r, dump->agent, dump->agent_len),
		    r->signature, err) != 0)
		return err_set(err, ERR_DENIED,
			"the receipt is not signed by the store's key: it does not count");
	return 0;
}
