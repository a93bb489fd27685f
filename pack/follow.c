/* Members are reported from the load itself; the HEAD of the trail is copied for the next load. */
#include "pack/follow.h"

#include "lib/err.h"

void pack_follow_init(struct pack_follow *f)
{
	*f = (struct pack_follow){0};
	buf_init(&f->bytes, PACK_HEAD_KEEP);
}

void pack_follow_fini(struct pack_follow *f)
{
	buf_fini(&f->bytes);
	f->open = false;
}

int pack_follow_load(struct pack_follow *f, struct pack_load *load, pack_follow_entry *entry,
	void *ctx, struct err *err)
{
	struct pack_member *m;
	struct pack_followed e;
	size_t count, i;
	int got;

	if (load->misplaced)
		return 0;
	if (load->block.kind == PACK_START || load->lost_open)
		f->open = false;
	if (f->open && load->lead_live && load->lead_ends) {
		f->open = false;
		e = (struct pack_followed){
			&f->head, &load->lead_tail, load->lead_verdict, f->block, f->at};
		got = e.verdict == PACK_REFUSED ? 0 : entry(ctx, &e, err);
		if (got != 0)
			return got;
	}
	if (!load->usable)
		return 0;
	m = pack_load_members(load, &count);
	for (i = 0; i < count; i++) {
		if (m[i].verdict == PACK_REFUSED)
			continue;
		e = (struct pack_followed){&m[i].head, &m[i].tail, m[i].verdict, load->at, m[i].at};
		got = entry(ctx, &e, err);
		if (got != 0)
			return got;
	}
	if (!load->has_trail || load->trail.verdict == PACK_REFUSED)
		return 0;
	f->open = true;
	f->block = load->at;
	f->at = load->trail.at;
	return pack_head_keep(&f->bytes, &f->head, &load->trail.head, err);
}
