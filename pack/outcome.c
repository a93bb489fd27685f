#include "pack/outcome.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pack/remark.h"

#define TEXT_MAX 256 /* of a problem */

void pack_outcome_init(struct pack_outcome *o, const struct pack_outcome_options *options)
{
	*o = (struct pack_outcome){.o = *options};
	clock_gettime(CLOCK_REALTIME_COARSE, &o->start);
}

void pack_outcome_fini(struct pack_outcome *o)
{
	pack_absent_fini(&o->absent);
}

void pack_outcome_begin(struct pack_outcome *o)
{
	o->why = PACK_ABSENT_LOST;
}

void pack_outcome_end(struct pack_outcome *o, struct pack_bytes path, const uint8_t *sum)
{
	if (o->why == PACK_ABSENT_NOT)
		pack_absent_remove(&o->absent, path);
	else
		pack_absent_add(&o->absent, path, o->why, sum);
}

void pack_outcome_done(struct pack_outcome *o, struct pack_bytes path)
{
	o->why = PACK_ABSENT_NOT;
	if (o->o.entry != NULL)
		o->o.entry(o->o.ctx, path);
}

/* --- problems ------------------------------------------------------------- */

void pack_outcome_problem(struct pack_outcome *o, struct pack_bytes path,
	enum pack_outcome_kind kind, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (kind == PACK_OUTCOME_ABSENT)
		o->why = PACK_ABSENT_NONE;
	o->o.problem(o->o.ctx, path, kind, 0, text);
}

void pack_outcome_lost(struct pack_outcome *o, struct pack_bytes path, const char *what, int errnum)
{
	char text[TEXT_MAX], reason[96];

	snprintf(text, sizeof text, "%s: %s", what, strerror_r(errnum, reason, sizeof reason));
	o->o.problem(o->o.ctx, path, PACK_OUTCOME_LOST, errnum, text);
}

/* EFBIG is the one reason that asks for the size. */
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
	o->o.problem(o->o.ctx, path, PACK_OUTCOME_LOST, errnum, text);
}

void pack_outcome_kept(struct pack_outcome *o, struct pack_bytes path, const struct pack_head *head,
	const struct stat *there, int dir, const uint8_t *sum)
{
	bool same = pack_overwrite_same(head, there, dir);

	o->why = PACK_ABSENT_KEPT;
	if (same && o->o.overwrite == PACK_OVERWRITE_CHANGED)
		o->why = PACK_ABSENT_NOT;
	else if (same && sum != NULL)
		o->why = PACK_ABSENT_SAME;
	if (!pack_overwrite_alike(head->type, there->st_mode))
		pack_outcome_problem(o, path, PACK_OUTCOME_KEPT,
			"not restored: what has its name is something else, and is kept");
}

/* --- what is asked before ------------------------------------------------- */

bool pack_outcome_left_out(struct pack_outcome *o, struct pack_bytes path,
	const struct pack_head *head, const struct pack_tail *tail)
{
	char text[TEXT_MAX];
	enum pack_remark got = pack_remark(head, tail, o->o.made, text, sizeof text);

	if (got != PACK_REMARK_NONE)
		pack_outcome_problem(o, path,
			got == PACK_REMARK_NOTE ? PACK_OUTCOME_NOTE : PACK_OUTCOME_ABSENT, "%s",
			text);
	return got == PACK_REMARK_LEAVE;
}

bool pack_outcome_foreign(struct pack_outcome *o, struct pack_bytes path, struct pack_bytes link,
	int dir, const char *name)
{
	enum pack_absent_why why = pack_absent_get(&o->absent, link, dir, name);
	struct stat st;

	/* Nothing was read of it, and it was not touched since we are here. */
	if (why == PACK_ABSENT_NOT && o->gaps &&
		fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		(st.st_ctim.tv_sec < o->start.tv_sec ||
			(st.st_ctim.tv_sec == o->start.tv_sec &&
				st.st_ctim.tv_nsec < o->start.tv_nsec)))
		why = PACK_ABSENT_LOST;
	if (why == PACK_ABSENT_KEPT)
		pack_outcome_problem(o, path, PACK_OUTCOME_KEPT,
			"not restored: a hard link to an entry in whose place something else is "
			"kept");
	else if (why != PACK_ABSENT_NOT)
		pack_outcome_problem(o, path,
			why == PACK_ABSENT_NONE ? PACK_OUTCOME_ABSENT : PACK_OUTCOME_LOST,
			"not restored: a hard link to an entry that is not");
	return why != PACK_ABSENT_NOT;
}
