/* A list of pieces; hashed by libipsec-mb's job interface if it is available. */
#include "lib/sums.h"

#include <stdlib.h>
#include <string.h>

#ifdef FDUMP_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif

#include "lib/buf.h"
#include "lib/mem.h"

#define PIECES_MAX ((size_t)1 << 20)

struct piece {
	const void *bytes;
	size_t len;
	uint8_t *digest;
};

struct sums {
	struct buf pieces;
#ifdef FDUMP_IPSEC_MB
	IMB_MGR *wide;   /* 16 (8) chains at once by AVX; NULL: not supported */
	IMB_MGR *narrow; /* 2 chains at once by SHA instructions; NULL: not supported */
#endif
};

#ifdef FDUMP_IPSEC_MB
#define WIDE     16    /* chains */
#define LANE_MAX 65000 /* bytes in a piece: the library counts in 16 bits */

/* Long pieces go first, so that none runs alone at the end. */
static int longest_first(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	return (x->len < y->len) - (x->len > y->len);
}

static void close_manager(IMB_MGR **mgr)
{
	if (*mgr != NULL)
		free_mb_mgr(*mgr);
	*mgr = NULL;
}

/* If the core has SHA instructions, AVX2 is no faster. */
static void open_managers(struct sums *s)
{
	IMB_ARCH arch = IMB_ARCH_NONE;

	s->narrow = alloc_mb_mgr(0);
	if (s->narrow != NULL && s->narrow->features & IMB_FEATURE_SHANI &&
		s->narrow->features & IMB_FEATURE_SSE4_2) {
		init_mb_mgr_sse(s->narrow);
	} else {
		close_manager(&s->narrow);
	}
	s->wide = alloc_mb_mgr(0);
	if (s->wide != NULL)
		init_mb_mgr_auto(s->wide, &arch);
	if (arch < IMB_ARCH_AVX512 && (arch < IMB_ARCH_AVX2 || s->narrow != NULL))
		close_manager(&s->wide);
}

/* Submits all pieces; a job's digest is complete when the job is returned.
 * Returns how many succeeded: all, unless the library refused one. */
static size_t run_jobs(IMB_MGR *mgr, const struct piece *p, size_t count)
{
	size_t i, good = 0;
	IMB_JOB *job;

	for (i = 0; i < count; i++) {
		if (p[i].len == 0) { /* the library takes no empty job */
			hash_sha256("", 0, p[i].digest);
			good++;
			continue;
		}
		job = IMB_GET_NEXT_JOB(mgr);
		memset(job, 0, sizeof *job);
		job->cipher_mode = IMB_CIPHER_NULL;
		job->cipher_direction = IMB_DIR_ENCRYPT;
		job->chain_order = IMB_ORDER_HASH_CIPHER;
		job->hash_alg = IMB_AUTH_SHA_256;
		job->src = p[i].bytes;
		job->msg_len_to_hash_in_bytes = p[i].len;
		job->auth_tag_output = p[i].digest;
		job->auth_tag_output_len_in_bytes = HASH_LEN;
		job = IMB_SUBMIT_JOB(mgr);
		good += job != NULL && job->status == IMB_STATUS_COMPLETED;
	}
	while ((job = IMB_FLUSH_JOB(mgr)) != NULL)
		good += job->status == IMB_STATUS_COMPLETED;
	return good;
}

/* Hashes all pieces, longest first: those too long for the library one by one;
 * those that would keep the wide manager busy after all others are done, two by
 * two; the rest side by side. Returns how many are done. */
static size_t run_managers(struct sums *s, struct piece *p, size_t count)
{
	size_t i, at = 0, total = 0, done;

	qsort(p, count, sizeof *p, longest_first);
	for (; at < count && p[at].len > LANE_MAX; at++)
		hash_sha256(p[at].bytes, p[at].len, p[at].digest);
	done = at;
	for (i = at; i < count; i++)
		total += p[i].len;
	if (s->narrow != NULL) {
		for (i = at; i < count &&
			     (s->wide == NULL || count - i < WIDE || p[i].len > total / WIDE);
			i++)
			total -= p[i].len;
		done += run_jobs(s->narrow, p + at, i - at);
		at = i;
	}
	return done + (at < count ? run_jobs(s->wide, p + at, count - at) : 0);
}
#endif

struct sums *sums_new(struct err *err)
{
	struct sums *s = mem_new(sizeof *s, err);

	if (s == NULL)
		return NULL;
	buf_init(&s->pieces, PIECES_MAX * sizeof(struct piece));
#ifdef FDUMP_IPSEC_MB
	open_managers(s);
#endif
	return s;
}

void sums_free(struct sums *s)
{
	if (s == NULL)
		return;
#ifdef FDUMP_IPSEC_MB
	close_manager(&s->narrow);
	close_manager(&s->wide);
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
	if (count > 1 && (s->narrow != NULL || s->wide != NULL) &&
		run_managers(s, p, count) == count)
		return;
#endif
	for (i = 0; i < count; i++)
		hash_sha256(p[i].bytes, p[i].len, p[i].digest);
}
