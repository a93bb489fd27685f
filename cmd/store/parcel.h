/*
 * A parcel: a record on its way to one or more stores. The bytes are shared, never change, and are
 * freed with the last reference. Any thread.
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

/* Copies the bytes. The caller owns the one reference. NULL with err set: out of memory. */
struct store_parcel *store_parcel_new(const uint8_t *bytes, size_t len, struct err *err);
/* Adds a reference, and returns the parcel. */
struct store_parcel *store_parcel_ref(struct store_parcel *parcel);
void store_parcel_unref(struct store_parcel *parcel);

#endif
