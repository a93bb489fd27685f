#include "cmd/store/parcel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

struct store_parcel *store_parcel_new(const uint8_t *bytes, size_t len, struct err *err)
{
	struct store_parcel *p = malloc(sizeof *p + len);

	if (p == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	atomic_init(&p->users, 1);
	p->len = len;
	memcpy(p->bytes, bytes, len);
	return p;
}

struct store_parcel *store_parcel_ref(struct store_parcel *p)
{
	atomic_fetch_add(&p->users, 1);
	return p;
}

void store_parcel_unref(struct store_parcel *p)
{
	unsigned before = atomic_fetch_sub(&p->users, 1);

	assert(before > 0);
	if (before == 1)
		free(p);
}
