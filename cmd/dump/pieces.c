#include "cmd/dump/pieces.h"

#include <assert.h>
#include <string.h>

#include "cmd/dump/crypt.h"
#include "cmd/dump/fanout.h"
#include "lib/err.h"
#include "lib/hash.h"

int dump_pieces_init(struct dump_pieces *p, const struct dump_run *run, int level,
	struct dump_fanout *copies, struct err *err)
{
	p->domain = run->domain;
	p->copies = copies;
	p->count = 0;
	buf_init(&p->content, SIZE_MAX);
	buf_init(&p->record, STORE_RECORD_MAX);
	p->maker = dump_maker_new(run, level, err);
	return p->maker != NULL ? 0 : -1;
}

void dump_pieces_fini(struct dump_pieces *p)
{
	dump_maker_free(p->maker);
	buf_fini(&p->content);
	buf_fini(&p->record);
}

int dump_pieces_add(void *pieces, bool list, const void *content, size_t len,
	uint8_t id[STORE_ID_LEN], struct err *err)
{
	struct dump_pieces *p = pieces;

	if (list)
		hash_sha256(content, len, id);
	else if (dump_domain_id(p->domain, content, len, id, err) != 0)
		return -1;
	if ((p->count == DUMP_PIECES_MAX || p->content.len + len > DUMP_PIECES_BYTES) &&
		dump_pieces_flush(p, err) != 0)
		return -1;
	assert(p->count < DUMP_PIECES_MAX);
	p->due[p->count] = (struct dump_piece_due){list, p->content.len, len};
	memcpy(p->ids[p->count++], id, STORE_ID_LEN);
	return buf_add(&p->content, content, len, err);
}

int dump_pieces_flush(struct dump_pieces *p, struct err *err)
{
	uint32_t lacks[DUMP_PIECES_MAX];
	size_t i;

	if (p->count == 0)
		return 0;
	if (dump_fanout_have(p->copies, p->ids[0], p->count, lacks, err) != 0)
		return -1;
	for (i = 0; i < p->count; i++) {
		const struct dump_piece_due *due = &p->due[i];

		assert(due->at + due->len <= p->content.len);
		if (lacks[i] == 0)
			continue;
		buf_clear(&p->record);
		if (dump_maker_make(p->maker, due->list, p->ids[i], p->content.data + due->at,
			    due->len, &p->record, err) != 0 ||
			dump_fanout_put(p->copies, p->record.data, p->record.len, lacks[i], err) !=
				0)
			return -1;
	}
	p->count = 0;
	buf_clear(&p->content);
	return 0;
}
