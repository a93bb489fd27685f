/*
 * A record on its way to one or more stores: bytes that are shared, and freed when the last of
 * them is done with it. The bytes never change. Any thread.
 */
#ifndef FDUMP_CMD_STORE_PARCEL_H
#define FDUMP_CMD_STORE_PARCEL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct store_parcel {
	atomic_uint users;
	size_t len;
	uint8_t bytes[];
};

/* With one reference, the caller's. The bytes are copied. NULL with err set: out of memory. */
struct store_parcel *store_parcel_new(const uint8_t *bytes, size_t len, struct err *err);
struct store_parcel *store_parcel_ref(struct store_parcel *parcel);
void store_parcel_unref(struct store_parcel *parcel);

#endif
