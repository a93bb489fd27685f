/* A table of waiting sponsors and asks on the manager's side; two calls on the
 * other side. */
#include "rpc/sponsor.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/mem.h"
#include "lib/seal.h"
#include "rpc/call.h"

/* Sponsors at a time; they are people. */
#define SPONSORS_MAX 64
#define GRANT_MS     10000
#define REASON_MAX   480

const struct cbormap_field rpc_sponsor_fields[] = {
	{.key = "hash", .type = CBORMAP_BYTES, .need = true, .size = RPC_DIGEST_LEN},
	{0},
};

struct grant {
	uint8_t hash[RPC_DIGEST_LEN];
	char chain[RPC_CHAIN_MAX + 1];
	char refused[REASON_MAX + 1]; /* the reason, if there is no chain */
};
const struct cbormap_field rpc_grant_fields[] = {
	{CBORMAP_OF(struct grant, BYTES, hash), .need = true},
	{CBORMAP_OF(struct grant, TEXT, chain), .min = 1},
	{CBORMAP_OF(struct grant, TEXT, refused), .min = 1},
	{0},
};

/* The report to a sponsor: which machine has come. */
struct request {
	struct cbormap_blob csr;
	uint8_t proof[RPC_DIGEST_LEN];
};
static const struct cbormap_field request_fields[] = {
	{CBORMAP_OF(struct request, BLOB, csr), .need = true, .min = 1, .max = RPC_CSR_MAX},
	{CBORMAP_OF(struct request, BYTES, proof), .need = true},
	{0},
};

/* --- The manager's side --- */

/* One sponsored token. First a call waits; when the machine has come, the call
 * is answered and an ask waits. */
struct place {
	struct rpc_sponsors *sponsors;
	struct place *next;
	uint8_t hash[RPC_DIGEST_LEN];
	struct rpc_call *call;      /* waiting; NULL: it was answered */
	struct rpc_enroll_ask *ask; /* NULL: has not come yet */
};

struct rpc_sponsors {
	struct place *first;
	unsigned count;
	int (*granted)(void *arg, struct rpc_enroll_ask *ask, const void *chain, size_t len,
		struct err *err);
	void *arg;
};

struct rpc_sponsors *rpc_sponsors_new(int (*granted)(void *arg, struct rpc_enroll_ask *ask,
					      const void *chain, size_t len, struct err *err),
	void *arg, struct err *err)
{
	struct rpc_sponsors *s = mem_new(sizeof *s, err);

	if (s == NULL)
		return NULL;
	s->granted = granted;
	s->arg = arg;
	return s;
}

static struct place *find(const struct rpc_sponsors *s, const uint8_t hash[RPC_DIGEST_LEN])
{
	struct place *p = s->first;

	while (p != NULL && memcmp(p->hash, hash, RPC_DIGEST_LEN) != 0)
		p = p->next;
	return p;
}

static void place_free(struct place *p)
{
	struct place **at = &p->sponsors->first;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	p->sponsors->count--;
	free(p);
}

/* The waiting call ended before a machine came. */
static void wait_done(void *arg, const struct err *err)
{
	struct place *p = arg;

	(void)err;
	if (p != NULL && p->call != NULL)
		place_free(p);
}

static const struct rpc_call_ops wait_ops = {.done = wait_done};

void rpc_sponsors_free(struct rpc_sponsors *s)
{
	struct err err = {0};

	if (s == NULL)
		return;
	err_set(&err, ERR_CLOSED, "enrolment: the manager is shutting down");
	while (s->first != NULL) {
		struct place *p = s->first;

		if (p->call != NULL) {
			rpc_call_serve(p->call, &wait_ops, NULL);
			rpc_call_fail(p->call, &err);
		}
		if (p->ask != NULL)
			rpc_enroll_refuse(p->ask, &err);
		place_free(p);
	}
	free(s);
}

void rpc_sponsor_serve(
	struct rpc_sponsors *s, struct rpc_call *call, const struct cbormap_value *values)
{
	struct place *p = NULL;
	struct err err = {0};

	if (find(s, values[0].bytes) != NULL || s->count >= SPONSORS_MAX)
		err_set(&err, ERR_BUSY, "token: already sponsored by another command");
	else
		p = mem_new(sizeof *p, &err);
	if (p == NULL) {
		rpc_call_fail(call, &err);
		return;
	}
	*p = (struct place){.sponsors = s, .next = s->first, .call = call};
	memcpy(p->hash, values[0].bytes, RPC_DIGEST_LEN);
	s->first = p;
	s->count++;
	rpc_call_serve(call, &wait_ops, p);
}

int rpc_sponsors_park(struct rpc_sponsors *s, struct rpc_enroll_ask *ask, struct err *err)
{
	struct place *p = find(s, ask->hash);
	struct request request = {.csr = {ask->csr, ask->csr_len}};
	uint8_t mem[RPC_CSR_MAX + 128];
	struct rpc_call *call;
	struct cbor_out out;

	if (p == NULL)
		return err_set(err, ERR_NOTFOUND,
			"token: the command that made it has ended: make a new one, and let it "
			"wait until the machine has joined");
	if (p->ask != NULL)
		return err_set(err, ERR_BUSY, "token: another machine is joining with it");
	memcpy(request.proof, ask->proof, sizeof request.proof);
	cbor_out_init(&out, mem, sizeof mem);
	cbormap_put(&out, request_fields, &request);
	call = p->call;
	p->call = NULL;
	p->ask = ask;
	rpc_call_serve(call, &wait_ops, NULL);
	rpc_call_reply(call, mem, cbor_out_len(&out), NULL);
	return 0;
}

void rpc_sponsors_gone(struct rpc_sponsors *s, struct rpc_enroll_ask *ask)
{
	struct place *p = find(s, ask->hash);

	if (p != NULL && p->ask == ask)
		place_free(p);
}

void rpc_grant_serve(
	struct rpc_sponsors *s, struct rpc_call *call, const struct cbormap_value *values)
{
	struct place *p = find(s, values[0].bytes);
	const struct cbormap_value *chain = &values[1], *refused = &values[2];
	struct rpc_enroll_ask *ask = p != NULL ? p->ask : NULL;
	struct err err = {0};

	if (ask == NULL) {
		err_set(&err, ERR_NOTFOUND, "enrolment: the machine has gone; let it join again");
	} else {
		place_free(p);
		if (!chain->has)
			err_set(&err, ERR_DENIED,
				"token: refused by the command that made it: %.*s",
				(int)refused->len,
				refused->has ? (const char *)refused->bytes : "");
		else
			s->granted(s->arg, ask, chain->bytes, chain->len, &err);
		if (err.code != ERR_NONE)
			rpc_enroll_refuse(ask, &err);
	}
	/* A sponsor that sends no chain wants the ask refused: for it that is a success. */
	if (err.code != ERR_NONE && (ask == NULL || chain->has))
		rpc_call_fail(call, &err);
	else
		rpc_call_reply(call, "\xa0", 1, NULL);
}

/* --- The side that holds the root's key --- */

struct rpc_sponsor {
	struct rpc_conn *conn;
	struct rpc_call *call;
	struct rpc_ca *root;
	struct rpc_token token;
	struct rpc_identity id;
	uint8_t hash[RPC_DIGEST_LEN];
	bool granting;     /* the second call is running */
	struct buf chain;  /* to be granted */
	struct err result; /* of the first call */
	void (*done)(void *arg, const struct err *err);
	void *arg;
};

static void sponsor_free(struct rpc_sponsor *s)
{
	buf_fini(&s->chain);
	seal_wipe(s, sizeof *s);
	free(s);
}

static int sign(struct rpc_sponsor *s, const uint8_t *bytes, size_t len, struct err *err)
{
	struct request r;
	uint8_t proof[RPC_DIGEST_LEN];

	if (cbormap_read(&r, request_fields, bytes, len, err) != 0 ||
		rpc_token_proof(proof, &s->token, r.csr.bytes, r.csr.len, err) != 0)
		return -1;
	if (!seal_equal(proof, r.proof, sizeof proof))
		return err_set(err, ERR_DENIED,
			"the request is not of a machine that has the token: the manager may have "
			"changed it");
	if (s->id.role == RPC_MANAGER)
		return rpc_ca_intermediate(
			s->root, r.csr.bytes, r.csr.len, s->id.name, s->id.host, &s->chain, err);
	return rpc_ca_sign(s->root, r.csr.bytes, r.csr.len, &s->id, 0, 0, &s->chain, err);
}

static void on_reply(void *arg, const uint8_t *bytes, size_t len, bool more)
{
	struct rpc_sponsor *s = arg;

	(void)more;
	if (!s->granting)
		sign(s, bytes, len, &s->result);
}

static int start(struct rpc_sponsor *s, uint16_t method, const struct cbormap_field *fields,
	const void *params, int64_t timeout_ms, struct err *err);

static int grant(struct rpc_sponsor *s, struct err *err)
{
	struct grant g = {0};

	memcpy(g.hash, s->hash, sizeof g.hash);
	if (s->result.code == ERR_NONE)
		memcpy(g.chain, s->chain.data, s->chain.len);
	else
		snprintf(g.refused, sizeof g.refused, "%.*s", REASON_MAX, s->result.message);
	s->granting = true;
	return start(s, RPC_METHOD_GRANT, rpc_grant_fields, &g, GRANT_MS, err);
}

static void on_done(void *arg, const struct err *err)
{
	struct rpc_sponsor *s = arg;
	void (*done)(void *arg, const struct err *err) = s->done;
	void *done_arg = s->arg;
	struct err why = {0};

	s->call = NULL;
	if (err == NULL && !s->granting && grant(s, &why) == 0)
		return;
	if (s->result.code != ERR_NONE)
		why = s->result;
	else if (err != NULL)
		why = *err;
	sponsor_free(s);
	done(done_arg, why.code != ERR_NONE ? &why : NULL);
}

static int start(struct rpc_sponsor *s, uint16_t method, const struct cbormap_field *fields,
	const void *params, int64_t timeout_ms, struct err *err)
{
	static const struct rpc_call_ops ops = {.reply = on_reply, .done = on_done};
	uint8_t mem[RPC_GRANT_MAX];
	struct cbor_out out;
	struct rpc_request r = {
		.method = method, .params = mem, .timeout_ms = timeout_ms, .ops = &ops, .arg = s};

	cbor_out_init(&out, mem, sizeof mem);
	cbormap_put(&out, fields, params);
	r.len = cbor_out_len(&out);
	s->call = rpc_call_start(s->conn, &r, err);
	return s->call != NULL ? 0 : -1;
}

struct rpc_sponsor *rpc_sponsor_start(struct rpc_conn *conn, struct rpc_ca *root,
	const struct rpc_token *token, const char *host,
	void (*done)(void *arg, const struct err *err), void *arg, struct err *err)
{
	struct rpc_sponsor *s = mem_new(sizeof *s, err);
	uint8_t ticket[RPC_DIGEST_LEN];

	assert(token->role == RPC_MANAGER || token->role == RPC_OPERATOR);
	if (s == NULL)
		return NULL;
	s->conn = conn;
	s->root = root;
	s->token = *token;
	s->done = done;
	s->arg = arg;
	buf_init(&s->chain, RPC_CHAIN_MAX);
	if (rpc_identity_set(&s->id, token->role, token->name, host, err) != 0 ||
		rpc_token_ticket(ticket, token, err) != 0)
		goto fail;
	rpc_ticket_hash(s->hash, ticket);
	if (start(s, RPC_METHOD_SPONSOR, rpc_sponsor_fields, s->hash, RPC_TOKEN_SEC * 1000, err) ==
		0)
		return s;
fail:
	sponsor_free(s);
	return NULL;
}

void rpc_sponsor_cancel(struct rpc_sponsor *s)
{
	if (s->call != NULL)
		rpc_call_cancel(s->call);
	sponsor_free(s);
}
