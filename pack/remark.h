/*
 * What the status of an entry means for the one who restores it. Pure.
 */
#ifndef FDUMP_PACK_REMARK_H
#define FDUMP_PACK_REMARK_H

#include <stddef.h>

#include "pack/entry.h"

enum pack_remark {
	PACK_REMARK_NONE,
	PACK_REMARK_NOTE,  /* it is restored, and this is said */
	PACK_REMARK_LEAVE, /* it is not restored */
};

/* made: what was done to the entries: "packed", "backed up". text: what is to be said. */
enum pack_remark pack_remark(const struct pack_head *head, const struct pack_tail *tail,
	const char *made, char *text, size_t len);

#endif
