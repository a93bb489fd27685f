/* Members as they are; the head of the trail is copied for the next load. */
#include "pack/follow.h"

#include "lib/err.h"

void pack_follow_init(struct pack_follow *f)
{
	*f = (struct pack_follow){0};
	buf_init(&f->bytes, PACK_INDEX_HEAD_MAX);
}

void pack_follow_fini(struct pack_follow *f)
{
	buf_fini(&f->bytes);
	f->open = false;
}

/* Copies what the head borrows. All of it fits, by the limits of a HEAD. */
static int keep(struct pack_follow *f, const struct pack_head *head, struct err *err)
{
	struct pack_bytes *parts[] = {
		&f->head.path, &f->head.user, &f->head.group, &f->head.target, &f->head.link};
	size_t i, at = 0;

	f->head = *head;
	f->head.xattrs = (struct pack_bytes){0};
	buf_clear(&f->bytes);
	for (i = 0; i < sizeof parts / sizeof *parts; i++)
		if (parts[i]->at != NULL &&
			buf_add(&f->bytes, parts[i]->at, parts[i]->len, err) != 0)
			return -1;
	for (i = 0; i < sizeof parts / sizeof *parts; i++)
		if (parts[i]->at != NULL) {
			parts[i]->at = f->bytes.data + at;
			at += parts[i]->len;
		}
	f->open = true;
	return 0;
}

int pack_follow_load(struct pack_follow *f, struct pack_load *load, pack_follow_entry *entry,
	void *ctx, struct err *err)
{
	struct pack_member *m;
	size_t count, i;
	int got;

	if (load->misplaced)
		return 0;
	if (load->block.kind == PACK_START || load->lost_open)
		f->open = false;
	if (f->open && load->lead_live && load->lead_ends) {
		f->open = false;
		got = load->lead_verdict == PACK_REFUSED
			      ? 0
			      : entry(ctx, &f->head, &load->lead_tail, load->lead_verdict, load->at,
					err);
		if (got != 0)
			return got;
	}
	if (!load->usable)
		return 0;
	m = pack_load_members(load, &count);
	for (i = 0; i < count; i++) {
		if (m[i].verdict == PACK_REFUSED)
			continue;
		m[i].head.xattrs = (struct pack_bytes){0};
		got = entry(ctx, &m[i].head, &m[i].tail, m[i].verdict, load->at, err);
		if (got != 0)
			return got;
	}
	if (load->has_trail && load->trail.verdict != PACK_REFUSED)
		return keep(f, &load->trail.head, err);
	return 0;
}
