#include "cmd/store/foreign.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/hash.h"

int store_foreign_set(struct store_foreign *f, size_t source, const struct store_key *keys,
	size_t count, struct err *err)
{
	struct store_foreign_key *grown;
	size_t i, n = 0;

	grown = realloc(f->keys, (f->count + count + 1) * sizeof *grown);
	if (grown == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	f->keys = grown;
	for (i = 0; i < f->count; i++)
		if (f->keys[i].source != source)
			f->keys[n++] = f->keys[i];
	for (i = 0; i < count; i++)
		f->keys[n++] = (struct store_foreign_key){keys[i], source};
	f->count = n;
	return 0;
}

void store_foreign_fini(struct store_foreign *f)
{
	free(f->keys);
	*f = (struct store_foreign){0};
}

int store_foreign_check(const struct store_foreign *f, const struct store_receipt *receipt,
	const struct store_dump *dump, const uint8_t *record, size_t len, int64_t now,
	struct err *err)
{
	struct store_receipt r = *receipt;
	bool known = false;
	size_t i;

	if (r.time > now + STORE_FOREIGN_AHEAD_SEC)
		return err_set(err, ERR_DENIED,
			"the other store's receipt is dated in the future: one of the two clocks "
			"is wrong");
	if (r.time < now - STORE_FOREIGN_SEC)
		return err_set(err, ERR_DENIED,
			"the other store's receipt is too old: a copy keeps the time of its first "
			"commit for %d days",
			STORE_FOREIGN_SEC / 86400);
	memcpy(r.dump, dump->id, sizeof r.dump);
	hash_sha256(record, len, r.record);
	for (i = 0; i < f->count; i++) {
		const struct store_key *key = &f->keys[i].key;

		if (memcmp(key->uid, r.store, sizeof key->uid) != 0)
			continue;
		if (store_receipt_check(&r, key->uid, key->public, dump, record, len, err) == 0)
			return 0;
		known = true;
	}
	return known ? -1
		     : err_set(err, ERR_DENIED,
			       "the other store's receipt does not count: no manager that this "
			       "store has reached names that store");
}
