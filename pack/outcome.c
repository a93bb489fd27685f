/* The table uses open addressing with linear probing. Rows are never freed, but marked
 * RESTORED. */
#include "pack/outcome.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fs.h"
#include "lib/hash.h"
#include "pack/extract.h"

#define TEXT_MAX   256 /* longest text of a problem */
#define ROWS_FIRST 256
#define ROWS_MAX   (1u << 21) /* 48 MiB */
#define PIECE      65536      /* bytes hashed at once */

enum {
	RESTORED,
	UNWHOLE, /* there was nothing complete to restore */
	LOST,    /* could not be restored */
	KEPT,    /* what was there is kept */
	SAME,    /* kept, and of the entry's size and time: it may be the entry */
};

struct pack_outcome_row {
	uint64_t path;   /* 0: free */
	uint8_t sum[15]; /* for SAME: the first bytes of the entry's SHA-256 */
	uint8_t fate;
};

void pack_outcome_init(struct pack_outcome *o, const struct pack_extract_options *options)
{
	*o = (struct pack_outcome){.o = options};
	clock_gettime(CLOCK_REALTIME_COARSE, &o->start);
}

void pack_outcome_fini(struct pack_outcome *o)
{
	free(o->rows);
	o->rows = NULL;
}

/* --- the table ------------------------------------------------------------ */

/* The row of a path, or the free row where it would go. There always is a free row. */
static struct pack_outcome_row *find(const struct pack_outcome *o, uint64_t path)
{
	size_t i = path & (o->cap - 1);

	assert(o->count < o->cap);
	while (o->rows[i].path != 0 && o->rows[i].path != path)
		i = (i + 1) & (o->cap - 1);
	return &o->rows[i];
}

static uint64_t hash_of(struct pack_bytes path)
{
	uint64_t hash = hash_xxh3(path.at, path.len);

	return hash != 0 ? hash : 1;
}

/* Doubles the table, leaving out rows marked RESTORED. */
static bool grow(struct pack_outcome *o)
{
	struct pack_outcome grown = *o;
	size_t i;

	grown.cap = o->cap > 0 ? o->cap * 2 : ROWS_FIRST;
	grown.count = 0;
	if (grown.cap > ROWS_MAX || (grown.rows = calloc(grown.cap, sizeof *grown.rows)) == NULL)
		return false;
	for (i = 0; i < o->cap; i++) {
		if (o->rows[i].path == 0 || o->rows[i].fate == RESTORED)
			continue;
		*find(&grown, o->rows[i].path) = o->rows[i];
		grown.count++;
	}
	free(o->rows);
	*o = grown;
	return true;
}

void pack_outcome_begin(struct pack_outcome *o)
{
	o->fate = LOST;
}

void pack_outcome_end(struct pack_outcome *o, struct pack_bytes path, const uint8_t *sum)
{
	uint64_t hash = hash_of(path);
	struct pack_outcome_row *row;

	if (o->fate == RESTORED) {
		if (o->count > 0)
			find(o, hash)->fate = RESTORED;
		return;
	}
	if (o->full || (o->count + o->cap / 4 >= o->cap && !grow(o))) {
		o->full = true;
		return;
	}
	row = find(o, hash);
	o->count += row->path == 0;
	row->path = hash;
	row->fate = o->fate;
	if (sum != NULL)
		memcpy(row->sum, sum, sizeof row->sum);
}

/* Whether a regular file's SHA-256 begins with the row's bytes. */
static bool has_sum(int dir, const char *name, const struct pack_outcome_row *row)
{
	int fd = fs_open_read(dir, name, 0);
	struct hash *hash = hash_new(NULL);
	uint8_t *piece = malloc(PIECE), digest[HASH_LEN] = {0};
	struct stat st;
	ssize_t n = -1;

	if (fd >= 0 && hash != NULL && piece != NULL && fstat(fd, &st) == 0 &&
		S_ISREG(st.st_mode)) {
		while ((n = fs_read_full(fd, piece, PIECE, NULL)) > 0)
			hash_add(hash, piece, (size_t)n);
		hash_end(hash, digest);
	}
	free(piece);
	hash_free(hash);
	fs_close(fd);
	return n == 0 && memcmp(digest, row->sum, sizeof row->sum) == 0;
}

/* --- what happens --------------------------------------------------------- */

void pack_outcome_done(struct pack_outcome *o, struct pack_bytes path)
{
	o->fate = RESTORED;
	if (o->o->entry != NULL)
		o->o->entry(o->o->ctx, path);
}

void pack_outcome_problem(struct pack_outcome *o, struct pack_bytes path,
	enum pack_outcome_kind kind, const char *what)
{
	if (kind == PACK_OUTCOME_ABSENT)
		o->fate = UNWHOLE;
	o->o->problem(o->o->ctx, path, kind, 0, what);
}

void pack_outcome_lost(struct pack_outcome *o, struct pack_bytes path, const char *what, int errnum)
{
	char text[TEXT_MAX], reason[96];

	snprintf(text, sizeof text, "%s: %s", what, strerror_r(errnum, reason, sizeof reason));
	o->o->problem(o->o->ctx, path, PACK_OUTCOME_LOST, errnum, text);
}

/* EFBIG is the only reason for which the message needs the size. */
void pack_outcome_unwritten(
	struct pack_outcome *o, struct pack_bytes path, uint64_t size, int errnum)
{
	char text[TEXT_MAX];

	if (errnum != EFBIG) {
		pack_outcome_lost(o, path, "can't be written", errnum != 0 ? errnum : EIO);
		return;
	}
	snprintf(text, sizeof text,
		"can't be written: its %llu bytes are more than this file system, or a limit "
		"(ulimit -f), allows in one file",
		(unsigned long long)size);
	o->o->problem(o->o->ctx, path, PACK_OUTCOME_LOST, errnum, text);
}

void pack_outcome_kept(struct pack_outcome *o, struct pack_bytes path, const struct pack_head *head,
	const struct stat *there, int dir, const uint8_t *sum)
{
	bool same = pack_overwrite_same(head, there, dir);

	o->fate = KEPT;
	if (same && o->o->overwrite == PACK_OVERWRITE_CHANGED)
		o->fate = RESTORED;
	else if (same && sum != NULL)
		o->fate = SAME;
	if (!pack_overwrite_alike(head->type, there->st_mode))
		pack_outcome_problem(o, path, PACK_OUTCOME_KEPT,
			"not restored: something else of that name exists and is kept");
}

bool pack_outcome_left_out(struct pack_outcome *o, struct pack_bytes path,
	const struct pack_head *head, const struct pack_tail *tail)
{
	const char *made = o->o->made;
	char text[TEXT_MAX], reason[160];
	bool left_out = false;

	switch (tail->status) {
	case PACK_OK:
		return false;
	case PACK_CHANGED:
	case PACK_GROWN:
	case PACK_SHRUNK:
		snprintf(text, sizeof text, "restored as it was read: it %s in the meantime",
			tail->status == PACK_CHANGED ? "was written to"
			: tail->status == PACK_GROWN ? "grew"
						     : "shrank");
		break;
	case PACK_VANISHED:
		left_out = !tail->has_content || tail->has_error || tail->size != head->size;
		snprintf(text, sizeof text,
			left_out ? "not restored: it vanished while it was %s"
				 : "restored: it was removed while it was %s",
			made);
		break;
	case PACK_INCOMPLETE:
		snprintf(text, sizeof text,
			"restored without attributes or flags that could not be read when it was "
			"%s",
			made);
		break;
	case PACK_COMMAND_FAILED:
		left_out = true;
		pack_command_failed(tail->exit, reason, sizeof reason);
		snprintf(text, sizeof text, "not restored: %s", reason);
		break;
	default:
		left_out = pack_type_has_content(head->type); /* other types need only their HEAD */
		snprintf(text, sizeof text,
			left_out ? "not restored: it could not be read when it was %s"
				 : "could not be listed when it was %s",
			made);
	}
	pack_outcome_problem(o, path, left_out ? PACK_OUTCOME_ABSENT : PACK_OUTCOME_NOTE, text);
	return left_out;
}

bool pack_outcome_foreign(struct pack_outcome *o, struct pack_bytes path, struct pack_bytes link,
	int dir, const char *name)
{
	struct pack_outcome_row *row = o->count > 0 ? find(o, hash_of(link)) : NULL;
	unsigned fate = o->full ? KEPT : RESTORED;
	struct stat st;

	if (row != NULL && row->path != 0) {
		if (row->fate == SAME)
			row->fate = has_sum(dir, name, row) ? RESTORED : KEPT;
		fate = row->fate;
	}
	/* The object there has not changed since the extraction began. So it is not the entry,
	 * which must have been lost unread. */
	if (fate == RESTORED && o->gaps && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		(st.st_ctim.tv_sec < o->start.tv_sec ||
			(st.st_ctim.tv_sec == o->start.tv_sec &&
				st.st_ctim.tv_nsec < o->start.tv_nsec)))
		fate = LOST;
	if (fate == KEPT)
		pack_outcome_problem(o, path, PACK_OUTCOME_KEPT,
			"not restored: a hard link to an entry in whose place something else is "
			"kept");
	else if (fate != RESTORED)
		pack_outcome_problem(o, path,
			fate == UNWHOLE ? PACK_OUTCOME_ABSENT : PACK_OUTCOME_LOST,
			"not restored: the entry that it is a hard link to was not restored");
	return fate != RESTORED;
}
