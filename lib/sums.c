/* A list of pieces; libipsec-mb's job interface where it is there. */
#include "lib/sums.h"

#include <stdlib.h>
#include <string.h>

#ifdef FDUMP_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif

#include "lib/buf.h"
#include "lib/err.h"

#define PIECES_MAX ((size_t)1 << 20)

struct piece {
	const void *bytes;
	size_t len;
	uint8_t *digest;
};

struct sums {
	struct buf pieces;
#ifdef FDUMP_IPSEC_MB
	IMB_MGR *mgr; /* NULL: not on this core */
#endif
};

#ifdef FDUMP_IPSEC_MB
/* So that none is left to run alone at the end. */
static int longest_first(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	return (x->len < y->len) - (x->len > y->len);
}

/* With SHA instructions two chains at a time, by those, are fastest: files are
 * of all sizes, and more lanes mostly wait for the longest. */
static void open_manager(struct sums *s)
{
	IMB_ARCH arch = IMB_ARCH_NONE;

	s->mgr = alloc_mb_mgr(0);
	if (s->mgr == NULL)
		return;
	if (s->mgr->features & IMB_FEATURE_SHANI && s->mgr->features & IMB_FEATURE_SSE4_2)
		init_mb_mgr_sse(s->mgr);
	else
		init_mb_mgr_auto(s->mgr, &arch);
	if (arch == IMB_ARCH_NONE || arch >= IMB_ARCH_AVX2)
		return;
	free_mb_mgr(s->mgr);
	s->mgr = NULL;
}

/* Submits all; a job's digest is there when it comes back. Returns how many
 * came back well: all, unless the library refused one. */
static size_t run_jobs(struct sums *s, const struct piece *p, size_t count)
{
	size_t i, good = 0;
	IMB_JOB *job;

	for (i = 0; i < count; i++) {
		if (p[i].len == 0) { /* no job for the library */
			hash_sha256("", 0, p[i].digest);
			good++;
			continue;
		}
		job = IMB_GET_NEXT_JOB(s->mgr);
		memset(job, 0, sizeof *job);
		job->cipher_mode = IMB_CIPHER_NULL;
		job->cipher_direction = IMB_DIR_ENCRYPT;
		job->chain_order = IMB_ORDER_HASH_CIPHER;
		job->hash_alg = IMB_AUTH_SHA_256;
		job->src = p[i].bytes;
		job->msg_len_to_hash_in_bytes = p[i].len;
		job->auth_tag_output = p[i].digest;
		job->auth_tag_output_len_in_bytes = HASH_LEN;
		job = IMB_SUBMIT_JOB(s->mgr);
		good += job != NULL && job->status == IMB_STATUS_COMPLETED;
	}
	while ((job = IMB_FLUSH_JOB(s->mgr)) != NULL)
		good += job->status == IMB_STATUS_COMPLETED;
	return good;
}
#endif

struct sums *sums_new(struct err *err)
{
	struct sums *s = calloc(1, sizeof *s);

	if (s == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	buf_init(&s->pieces, PIECES_MAX * sizeof(struct piece));
#ifdef FDUMP_IPSEC_MB
	open_manager(s);
#endif
	return s;
}

void sums_free(struct sums *s)
{
	if (s == NULL)
		return;
#ifdef FDUMP_IPSEC_MB
	if (s->mgr != NULL)
		free_mb_mgr(s->mgr);
#endif
	buf_fini(&s->pieces);
	free(s);
}

int sums_add(
	struct sums *s, const void *bytes, size_t len, uint8_t digest[HASH_LEN], struct err *err)
{
	struct piece p = {bytes, len, digest};

	return buf_add(&s->pieces, &p, sizeof p, err);
}

void sums_run(struct sums *s)
{
	struct piece *p = (struct piece *)(void *)s->pieces.data;
	size_t i, count = s->pieces.len / sizeof *p;

	buf_clear(&s->pieces);
#ifdef FDUMP_IPSEC_MB
	if (s->mgr != NULL && count > 1) {
		qsort(p, count, sizeof *p, longest_first);
		if (run_jobs(s, p, count) == count)
			return;
	}
#endif
	for (i = 0; i < count; i++)
		hash_sha256(p[i].bytes, p[i].len, p[i].digest);
}
