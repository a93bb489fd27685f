/* Domains, making and opening of records, cuts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/dump/cutter.h"
#include "cmd/dump/domain.h"
#include "cmd/dump/crypt.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/zst.h"

static struct err err;
static const uint8_t agent[DUMP_SECRET_LEN] = "an agent's secret, 32 bytes long";
static struct key_secret one, two, other;

static int setup(void **state)
{
	(void)state;
	return hash_crypto_init(&err) || key_make(false, &one, &err) ||
	       key_make(false, &two, &err) || key_make(false, &other, &err);
}

/* The order of the keys does not matter; one key more is another domain. */
static void domains(void **state)
{
	struct key_public ab[2] = {one.half, two.half}, ba[2] = {two.half, one.half};
	struct dump_domain x, y;
	uint8_t id_x[STORE_ID_LEN], id_y[STORE_ID_LEN];

	(void)state;
	assert_int_equal(dump_domain_init(&x, agent, ab, 2, &err), 0);
	assert_int_equal(dump_domain_init(&y, agent, ba, 2, &err), 0);
	assert_memory_equal(x.fingerprint, y.fingerprint, STORE_DOMAIN_LEN);
	assert_int_equal(dump_domain_id(&x, "content", 7, id_x, &err), 0);
	assert_int_equal(dump_domain_init(&y, agent, ab, 1, &err), 0);
	assert_memory_not_equal(x.fingerprint, y.fingerprint, STORE_DOMAIN_LEN);
	assert_int_equal(dump_domain_id(&y, "content", 7, id_y, &err), 0);
	assert_memory_not_equal(id_x, id_y, STORE_ID_LEN);
	ba[1] = ba[0];
	assert_int_equal(dump_domain_init(&y, agent, ba, 2, &err), -1);
	assert_int_equal(err.code, ERR_USAGE);
	assert_int_equal(dump_domain_init(&y, agent, NULL, 0, &err), 0);
	assert_int_equal(dump_domain_id(&y, "abc", 3, id_y, &err), 0);
	assert_int_equal(id_y[0], 0xba); /* plain SHA-256 */
	assert_int_equal(id_y[31], 0xad);
}

/* A shared key joins the domains of agents. */
static void shared(void **state)
{
	static const uint8_t agent2[DUMP_SECRET_LEN] = "another agent's";
	struct dump_domain x, y;
	struct key_secret key;

	(void)state;
	assert_int_equal(key_make(true, &key, &err), 0);
	assert_int_equal(dump_domain_init(&x, agent, &key.half, 1, &err), 0);
	assert_int_equal(dump_domain_init(&y, agent2, &key.half, 1, &err), 0);
	assert_memory_equal(x.fingerprint, y.fingerprint, STORE_DOMAIN_LEN);
	assert_int_equal(dump_domain_init(&y, agent2, &one.half, 1, &err), 0);
	assert_memory_not_equal(x.fingerprint, y.fingerprint, STORE_DOMAIN_LEN);
}

/* The holder of the domain's secret proves it to one store, for one run of one host. */
static void proofs(void **state)
{
	struct store_proof proof = {"a store's uid 16", "host id: 16 byte", "run id: 16 bytes"};
	struct store_proof wrong;
	struct dump_domain x, y, again;
	uint8_t signature[SEAL_SIG_LEN];
	size_t i;

	(void)state;
	assert_int_equal(dump_domain_init(&x, agent, &one.half, 1, &err), 0);
	assert_int_equal(dump_domain_init(&y, agent, &two.half, 1, &err), 0);
	assert_int_equal(dump_domain_prove(&x, &proof, signature, &err), 0);
	assert_int_equal(store_proof_check(x.public, x.fingerprint, &proof, signature, &err), 0);
	/* A proof for another domain, or with another's key. */
	assert_int_equal(store_proof_check(y.public, x.fingerprint, &proof, signature, &err), 1);
	assert_int_equal(store_proof_check(y.public, y.fingerprint, &proof, signature, &err), 1);
	assert_int_equal(store_proof_check(x.public, y.fingerprint, &proof, signature, &err), 1);
	/* A proof for another store, another host, another run. */
	for (i = 0; i < sizeof proof; i++) {
		wrong = proof;
		((uint8_t *)&wrong)[i] ^= 1;
		assert_int_equal(
			store_proof_check(x.public, x.fingerprint, &wrong, signature, &err), 1);
	}
	for (i = 0; i < sizeof signature; i++) {
		signature[i] ^= 1;
		assert_int_equal(
			store_proof_check(x.public, x.fingerprint, &proof, signature, &err), 1);
		signature[i] ^= 1;
	}
	/* A dump's record yields the secret, and so the same key pair. */
	assert_int_equal(dump_domain_of_secret(&again, x.secret, &err), 0);
	assert_memory_equal(again.public, x.public, sizeof x.public);
	assert_memory_equal(again.fingerprint, x.fingerprint, sizeof x.fingerprint);
	assert_int_equal(dump_domain_prove(&again, &proof, signature, &err), 0);
	assert_int_equal(store_proof_check(x.public, x.fingerprint, &proof, signature, &err), 0);
	/* An unencrypted domain belongs to one agent, which can prove it like any other. */
	assert_int_equal(dump_domain_init(&x, agent, NULL, 0, &err), 0);
	assert_int_equal(dump_domain_init(&y, (const uint8_t *)"the secret of another agent, 32.",
				 NULL, 0, &err),
		0);
	assert_memory_not_equal(x.fingerprint, y.fingerprint, STORE_DOMAIN_LEN);
	assert_int_equal(dump_domain_prove(&x, &proof, signature, &err), 0);
	assert_int_equal(store_proof_check(x.public, x.fingerprint, &proof, signature, &err), 0);
	assert_int_equal(store_proof_check(y.public, y.fingerprint, &proof, signature, &err), 1);
}

/* The bytes given in CHUNKS.md, computed by another program. */
static void known_domain(void **state)
{
	static const uint8_t secret[HASH_LEN] = "a domain's secret of 32 bytes...";
	static const uint8_t print[STORE_DOMAIN_LEN] = {0x02, 0x85, 0x01, 0x5f, 0xee, 0x05, 0x9a,
		0xb9, 0xa8, 0xbe, 0x3b, 0x3e, 0x46, 0xa0, 0xd7, 0x93};
	static const uint8_t start[8] = {0x81, 0x8a, 0x34, 0x53, 0xfd, 0x06, 0x54, 0x7e};
	struct store_proof proof = {"a store's uid 16", "host id: 16 byte", "run id: 16 bytes"};
	uint8_t signature[SEAL_SIG_LEN];
	struct dump_domain d;

	(void)state;
	assert_int_equal(dump_domain_of_secret(&d, secret, &err), 0);
	assert_memory_equal(d.fingerprint, print, sizeof print);
	assert_int_equal(dump_domain_prove(&d, &proof, signature, &err), 0);
	assert_memory_equal(signature, start, sizeof start);
}

struct fixture {
	struct dump_domain domain;
	struct dump_run run;
	struct dump_keys *keys;
	struct zst *zst;
	struct buf record, content;
	uint8_t id[STORE_ID_LEN];
};

static void fixture_init(struct fixture *f, const struct key_secret *with)
{
	struct key_public to[2] = {one.half, two.half};

	assert_int_equal(dump_domain_init(&f->domain, agent, to, 2, &err), 0);
	assert_int_equal(dump_run_init(&f->run, &f->domain, &err), 0);
	assert_non_null(f->zst = zst_new(1, &err));
	assert_non_null(f->keys = dump_keys_new(with, 1, &err));
	buf_init(&f->record, STORE_RECORD_MAX);
	buf_init(&f->content, STORE_CONTENT_MAX);
}

static void fixture_fini(struct fixture *f)
{
	zst_free(f->zst);
	dump_keys_free(f->keys);
	buf_fini(&f->record);
	buf_fini(&f->content);
}

static void make(struct fixture *f, const void *content, size_t len)
{
	buf_clear(&f->record);
	assert_int_equal(dump_domain_id(&f->domain, content, len, f->id, &err), 0);
	assert_int_equal(
		dump_crypt_make(&f->run, f->zst, false, f->id, content, len, &f->record, &err), 0);
}

/* Opens a copy, because opening changes the bytes. */
static int open_copy(struct fixture *f)
{
	uint8_t *copy = malloc(f->record.len);
	int got;

	memcpy(copy, f->record.data, f->record.len);
	got = dump_crypt_open(f->keys, f->zst, f->domain.fingerprint, f->id, copy, f->record.len,
		&f->content, &err);
	free(copy);
	return got;
}

static void round_trip(void **state)
{
	const struct key_secret *with[] = {&one, &two};
	char text[5000];
	size_t i;

	(void)state;
	memset(text, 'x', sizeof text);
	for (i = 0; i < 2; i++) {
		struct fixture f;

		fixture_init(&f, with[i]);
		make(&f, "a", 1);
		assert_int_equal(open_copy(&f), 0);
		assert_memory_equal(f.content.data, "a", 1);
		make(&f, text, sizeof text);
		assert_true(f.record.len < 1000);
		assert_int_equal(open_copy(&f), 0);
		assert_int_equal(f.content.len, sizeof text);
		assert_memory_equal(f.content.data, text, sizeof text);
		f.id[0] ^= 1;
		assert_int_equal(open_copy(&f), -1); /* bound to its id */
		fixture_fini(&f);
	}
}

/* Every bit of a record matters. */
static void flips(void **state)
{
	struct fixture f;
	size_t i;

	(void)state;
	fixture_init(&f, &one);
	make(&f, "some content", 12);
	for (i = 0; i < f.record.len * 8; i++) {
		f.record.data[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_int_equal(open_copy(&f), -1);
		f.record.data[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	for (i = 0; i < f.record.len; i++) {
		size_t len = f.record.len;

		f.record.len = i;
		assert_int_equal(open_copy(&f), -1);
		f.record.len = len;
	}
	assert_int_equal(open_copy(&f), 0);
	fixture_fini(&f);
}

/* Nonces differ, even for the same content in one run. */
static void nonces(void **state)
{
	uint8_t first[STORE_NONCE_LEN];
	struct fixture f;

	(void)state;
	fixture_init(&f, &one);
	make(&f, "twice", 5);
	memcpy(first, f.record.data + 40, sizeof first);
	make(&f, "twice", 5);
	assert_memory_not_equal(first, f.record.data + 40, sizeof first);
	fixture_fini(&f);
}

static void wrong_key(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, &other);
	make(&f, "secret", 6);
	assert_int_equal(open_copy(&f), -1);
	assert_int_equal(err.code, ERR_DENIED);
	fixture_fini(&f);
}

/* --- cuts ---------------------------------------------------------------- */

#define BIG (24u << 20)

static uint8_t *noise(size_t len)
{
	uint8_t *bytes = malloc(len);
	uint64_t x = 88172645463325252u;
	size_t i;

	for (i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		bytes[i] = (uint8_t)x;
	}
	return bytes;
}

/* Cuts everything; stores the ends of chunks in `ends`; the chunker gets `step` more bytes at a
 * time. */
static size_t cut_all(const uint8_t *bytes, size_t len, size_t step, size_t *ends)
{
	struct dump_domain domain;
	struct dump_cutter cutter;
	size_t at = 0, have, cut, n = 0;

	assert_int_equal(dump_domain_init(&domain, agent, NULL, 0, &err), 0);
	while (at < len) {
		dump_cutter_start(&cutter, domain.gear);
		for (have = 0, cut = 0; cut == 0;) {
			have += step;
			if (have > len - at)
				have = len - at;
			if (have > DUMP_CUT_MAX)
				have = DUMP_CUT_MAX;
			cut = dump_cutter_cut(&cutter, bytes + at, have, at + have == len);
		}
		assert_true(cut <= DUMP_CUT_MAX && (cut >= DUMP_CUT_MIN || at + cut == len));
		at += cut;
		ends[n++] = at;
	}
	return n;
}

static void cuts(void **state)
{
	uint8_t *bytes = noise(BIG + 1);
	size_t a[200], b[200], n, m, i, j, same = 0;

	(void)state;
	n = cut_all(bytes + 1, BIG, 4096, a);
	assert_true(n > BIG / DUMP_CUT_MEAN / 2 && n < BIG / DUMP_CUT_MEAN * 2);
	m = cut_all(bytes + 1, BIG, 999983, b); /* whatever the step */
	assert_int_equal(n, m);
	assert_memory_equal(a, b, n * sizeof *a);
	m = cut_all(bytes, BIG + 1, 65536, b); /* a byte in front */
	for (i = 0; i < n; i++)
		for (j = 0; j < m; j++)
			same += b[j] == a[i] + 1;
	assert_true(same >= n - 3);
	free(bytes);
}

static void bundles(void **state)
{
	const struct dump_cut_rule *rule = &dump_cut_files;
	struct dump_domain domain;
	size_t i, len = 0, ends = 0, total = 0;
	char name[32];

	(void)state;
	assert_int_equal(dump_domain_init(&domain, agent, NULL, 0, &err), 0);
	assert_false(dump_cut_behind(rule, domain.gear, "n", 1, UINT64_MAX / 2, rule->min - 1));
	for (i = 0; i < 50000; i++) {
		snprintf(name, sizeof name, "file-%zu", i);
		len += 5000;
		total += 5000;
		if (dump_cut_behind(rule, domain.gear, name, strlen(name), 5000, len)) {
			ends++;
			len = 0;
		}
	}
	assert_true(total / ends > 80000 && total / ends < 120000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains),
		cmocka_unit_test(shared),
		cmocka_unit_test(proofs),
		cmocka_unit_test(known_domain),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(flips),
		cmocka_unit_test(nonces),
		cmocka_unit_test(wrong_key),
		cmocka_unit_test(cuts),
		cmocka_unit_test(bundles),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
