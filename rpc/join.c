/*
 * Joining and renewing. A new key stays beside the old one as KEY.new until its
 * certificate has come. A renewal then puts the certificate in place first and
 * the key last; for a first certificate it is the other way round.
 */
#include "rpc/join.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/cbormap.h"
#include "lib/file.h"
#include "lib/mem.h"
#include "lib/seal.h"
#include "rpc/call.h"
#include "rpc/dial.h"

#define RENEW_MS 10000

static const struct cbormap_field certificate_fields[] = {
	{.key = "chain", .type = CBORMAP_TEXT, .need = true, .min = 1, .max = RPC_CHAIN_MAX},
	{0},
};

struct rpc_join {
	struct rpc_loop *loop;
	struct rpc_dial *dial; /* NULL: this is a renewal */
	struct rpc_call *call;
	struct pool *pool;
	struct rpc_token token;
	size_t next; /* index in the token's addresses */
	struct rpc_join_paths paths;
	char request[PATH_MAX]; /* path of the request's key, until that is in place */
	struct buf csr;
	struct err result;
	void *arg;
	int (*take)(void *arg, const struct rpc_enroll_result *result, struct err *err);
	void (*done)(void *arg, const struct err *err);
};

static void join_free(struct rpc_join *j)
{
	rpc_dial_free(j->dial);
	if (j->request[0] != 0)
		unlink(j->request);
	seal_wipe(&j->token, sizeof j->token);
	buf_fini(&j->csr);
	free(j);
}

static void finish(struct rpc_join *j, const struct err *err)
{
	void (*done)(void *arg, const struct err *err) = j->done;
	void *arg = j->arg;
	struct err copy = {0};

	if (err != NULL)
		copy = *err;
	join_free(j);
	done(arg, err != NULL ? &copy : NULL);
}

/* Makes a new key as KEY.new, and the certificate request for it. */
static int make_request(const char *key, char request[PATH_MAX], struct buf *csr, struct err *err)
{
	if (snprintf(request, PATH_MAX, "%s.new", key) >= PATH_MAX) {
		request[0] = 0;
		return err_set(err, ERR_USAGE, "%s: the path is too long", key);
	}
	if (rpc_key_make(request, err) != 0)
		return -1;
	return rpc_csr_make(request, csr, err);
}

static int put_key(char *request, const char *key, struct err *err)
{
	if (rename(request, key) != 0)
		return err_errno(err, errno, "put %s in place", key);
	request[0] = 0;
	return 0;
}

/* Puts the certificate in place, then the key. A first certificate comes last,
 * because a service that finds one starts (and would repair a half-finished
 * change). */
static int put_in_place(char *request, const char *key, const char *cert, const void *chain,
	size_t len, struct err *err)
{
	bool first = access(cert, F_OK) != 0;

	if (first && put_key(request, key, err) != 0)
		return -1;
	if (file_write(cert, chain, len, 0644, err) != 0)
		return -1;
	return first ? 0 : put_key(request, key, err);
}

int rpc_join_issue(struct rpc_ca *ca, const struct rpc_identity *id, const char *key_path,
	const char *cert_path, struct err *err)
{
	char request[PATH_MAX] = "";
	struct buf csr = {.max = RPC_CSR_MAX}, chain = {.max = RPC_CHAIN_MAX};
	int ret;

	ret = make_request(key_path, request, &csr, err);
	if (ret == 0)
		ret = rpc_ca_sign(ca, csr.data, csr.len, id, 0, 0, &chain, err);
	if (ret == 0)
		ret = put_in_place(request, key_path, cert_path, chain.data, chain.len, err);
	if (request[0] != 0)
		unlink(request);
	buf_fini(&csr);
	buf_fini(&chain);
	return ret;
}

int rpc_join_mend(const char *key_path, const char *cert_path, struct err *err)
{
	char request[PATH_MAX];
	struct err why = {0};
	int fits;

	if (snprintf(request, sizeof request, "%s.new", key_path) >= PATH_MAX)
		return err_set(err, ERR_USAGE, "%s: the path is too long", key_path);
	fits = rpc_key_fits(request, cert_path, &why);
	if (fits == 0 && rename(request, key_path) != 0)
		return err_errno(err, errno, "put %s in place", key_path);
	if (fits == 1 && unlink(request) != 0)
		return err_errno(err, errno, "remove %s", request);
	if (fits >= 0 || why.code == ERR_NOTFOUND)
		return 0;
	if (err != NULL)
		*err = why;
	return -1;
}

/* --- Enrolment --- */

static int check_recipients(
	const struct rpc_join *j, const struct rpc_enroll_result *result, struct err *err)
{
	struct cbormap_blob files[RPC_RECIPIENTS_MAX];
	uint8_t digest[RPC_DIGEST_LEN];

	memcpy(files, result->recipients, sizeof files);
	if (rpc_recipients_digest(digest, files, result->recipient_count, err) != 0)
		return -1;
	if (memcmp(digest, j->token.recipients, sizeof digest) == 0)
		return 0;
	return err_set(err, ERR_DENIED,
		"enrolment: the manager sent other public keys than the token vouches for");
}

static int check_identity(const struct rpc_join *j, const struct rpc_enroll_result *result,
	const void *root, size_t root_len, struct err *err)
{
	struct rpc_identity id;

	if (rpc_cert_check(root, root_len, result->chain, strlen(result->chain), j->request,
		    j->token.role == RPC_MANAGER, &id, err) != 0)
		return -1;
	if (id.role == j->token.role && strcmp(id.name, j->token.name) == 0)
		return 0;
	return err_set(err, ERR_DENIED,
		"enrolment: the manager sent a certificate for another than %s %s",
		rpc_role_name(j->token.role), j->token.name);
}

static int write_ca(struct rpc_join *j, const void *der, size_t len, struct err *err)
{
	struct buf pem = {.max = RPC_FILE_MAX};
	int ret;

	ret = rpc_ca_pem(der, len, &pem, err);
	if (ret == 0)
		ret = file_write(j->paths.ca, pem.data, pem.len, 0644, err);
	buf_fini(&pem);
	return ret;
}

/* Once its intermediate is in place, a manager signs for itself. */
static int install_manager(
	struct rpc_join *j, const struct rpc_enroll_result *result, struct err *err)
{
	struct rpc_ca *ca = NULL;
	struct rpc_identity id;
	int ret = put_in_place(j->request, j->paths.int_key, j->paths.int_cert, result->chain,
		strlen(result->chain), err);

	if (ret == 0) {
		ca = rpc_ca_open(j->paths.int_key, j->paths.int_cert, NULL, NULL, err);
		ret = ca != NULL ? rpc_identity_set(&id, RPC_MANAGER, j->token.name,
					   rpc_ca_issuer(ca)->host, err)
				 : -1;
	}
	if (ret == 0)
		ret = rpc_join_issue(ca, &id, j->paths.key, j->paths.cert, err);
	rpc_ca_close(ca);
	return ret;
}

static int install(struct rpc_join *j, const uint8_t *bytes, size_t len, struct err *err)
{
	struct rpc_enroll_result result;
	size_t root_len;
	const uint8_t *root = rpc_dial_pinned(j->dial, &root_len);

	if (rpc_enroll_result_get(&result, bytes, len, err) != 0 ||
		check_identity(j, &result, root, root_len, err) != 0 ||
		check_recipients(j, &result, err) != 0 ||
		(j->take != NULL && j->take(j->arg, &result, err) != 0) ||
		write_ca(j, root, root_len, err) != 0)
		return -1;
	if (j->token.role == RPC_MANAGER)
		return install_manager(j, &result, err);
	return put_in_place(
		j->request, j->paths.key, j->paths.cert, result.chain, strlen(result.chain), err);
}

/* --- Renewal --- */

/* Compares the identities in the old and the new certificate. */
static int install_renewed(struct rpc_join *j, const uint8_t *bytes, size_t len, struct err *err)
{
	struct rpc_cert_info before;
	struct rpc_identity after;
	uint8_t digest[RPC_DIGEST_LEN];
	struct cbormap_value chain;
	struct buf root = {.max = RPC_CA_DER_MAX};
	int ret;

	if (cbormap_get(&chain, certificate_fields, bytes, len, err) != 0)
		return -1;
	ret = rpc_ca_der(j->paths.ca, &root, digest, err);
	if (ret == 0)
		ret = rpc_cert_info(j->paths.cert, &before, err);
	if (ret == 0)
		ret = rpc_cert_check(root.data, root.len, chain.bytes, chain.len, j->request, false,
			&after, err);
	if (ret == 0 && (before.id.role != after.role || strcmp(before.id.name, after.name) != 0 ||
				strcmp(before.id.host, after.host) != 0))
		ret = err_set(err, ERR_DENIED,
			"renewal: the manager sent a certificate of another identity");
	if (ret == 0)
		ret = put_in_place(
			j->request, j->paths.key, j->paths.cert, chain.bytes, chain.len, err);
	buf_fini(&root);
	return ret;
}

/* --- Both --- */

static void on_reply(void *arg, const uint8_t *bytes, size_t len, bool more)
{
	struct rpc_join *j = arg;
	int ret = j->dial != NULL ? install(j, bytes, len, &j->result)
				  : install_renewed(j, bytes, len, &j->result);

	(void)more;
	if (ret != 0 && j->result.code == ERR_NONE)
		err_set(&j->result, ERR_FAILED, "enrolment failed");
}

static void on_done(void *arg, const struct err *err)
{
	struct rpc_join *j = arg;

	j->call = NULL;
	if (err == NULL && j->result.code != ERR_NONE)
		err = &j->result;
	/* The manager may have used up the token all the same. */
	if (err != NULL && j->dial != NULL &&
		(err->code == ERR_TIMEOUT || err->code == ERR_CLOSED)) {
		j->result = *err;
		err_prefix(&j->result,
			"manager %s gave no answer (if it now refuses this token, make another one "
			"with --replace)",
			j->token.manager);
		err = &j->result;
	}
	finish(j, err);
}

/* Sends the parameters: a struct that the fields describe. */
static int ask(struct rpc_join *j, struct rpc_conn *conn, uint16_t method,
	const struct cbormap_field *fields, const void *params, int64_t timeout_ms, struct err *err)
{
	static const struct rpc_call_ops ops = {.reply = on_reply, .done = on_done};
	uint8_t mem[RPC_ENROLL_MAX];
	struct cbor_out out;
	struct rpc_request r = {
		.method = method, .params = mem, .timeout_ms = timeout_ms, .ops = &ops, .arg = j};

	cbor_out_init(&out, mem, sizeof mem);
	cbormap_put(&out, fields, params);
	r.len = cbor_out_len(&out);
	j->call = rpc_call_start(conn, &r, err);
	return j->call != NULL ? 0 : -1;
}

static int ask_enroll(struct rpc_join *j, struct rpc_conn *conn, struct err *err)
{
	struct rpc_enroll_request request = {.csr = {j->csr.data, j->csr.len}};

	if (rpc_token_ticket(request.ticket, &j->token, err) != 0 ||
		rpc_token_proof(request.proof, &j->token, j->csr.data, j->csr.len, err) != 0)
		return -1;
	memcpy(request.recipients, j->token.recipients, RPC_DIGEST_LEN);
	return ask(j, conn, RPC_METHOD_ENROLL, rpc_enroll_fields, &request, RPC_ENROLL_MS, err);
}

static int ask_renew(struct rpc_join *j, struct rpc_conn *conn, struct err *err)
{
	const struct cbormap_blob csr = {j->csr.data, j->csr.len};

	return ask(j, conn, RPC_METHOD_RENEW, rpc_renew_fields, &csr, RENEW_MS, err);
}

static void on_up(void *arg, struct rpc_conn *conn)
{
	struct rpc_join *j = arg;
	struct err err = {0};

	j->next = j->token.address_count; /* the ticket is shown only once */
	if (ask_enroll(j, conn, &err) != 0)
		finish(j, &err);
}

static void on_down(void *arg, const struct err *why, int64_t wait_ms);

static int dial_next(struct rpc_join *j, struct err *err)
{
	char host[RPC_HOST_PORT_MAX + 1], port[8];
	struct rpc_dial_opts dial = {
		.expect = {RPC_MANAGER, j->token.manager},
		.host = host,
		.port = port,
		.pool = j->pool,
		.pin = j->token.fingerprint,
		.once = true,
		.arg = j,
		.up = on_up,
		.down = on_down,
	};

	if (rpc_address_split(j->token.addresses[j->next++], host, port, RPC_ENROLL_PORT, err) != 0)
		return -1;
	j->dial = rpc_dial_new(j->loop, &dial, err);
	return j->dial != NULL ? 0 : -1;
}

static void on_down(void *arg, const struct err *why, int64_t wait_ms)
{
	struct rpc_join *j = arg;
	struct err err = *why;

	(void)wait_ms;
	if (j->next < j->token.address_count) {
		rpc_dial_free(j->dial);
		j->dial = NULL;
		if (dial_next(j, &err) == 0)
			return;
	}
	finish(j, &err);
}

static struct rpc_join *join_new(
	void (*done)(void *arg, const struct err *err), void *arg, struct err *err)
{
	struct rpc_join *j = mem_new(sizeof *j, err);

	if (j == NULL)
		return NULL;
	j->done = done;
	j->arg = arg;
	buf_init(&j->csr, RPC_CSR_MAX);
	return j;
}

struct rpc_join *rpc_join_start(
	struct rpc_loop *loop, const struct rpc_join_opts *opts, struct err *err)
{
	struct rpc_join *j = join_new(opts->done, opts->arg, err);
	const char *key;

	if (j == NULL)
		return NULL;
	j->loop = loop;
	j->pool = opts->pool;
	j->token = opts->token;
	j->take = opts->take;
	j->paths = opts->paths;
	key = j->token.role == RPC_MANAGER ? j->paths.int_key : j->paths.key;
	if (make_request(key, j->request, &j->csr, err) != 0 || dial_next(j, err) != 0) {
		join_free(j);
		return NULL;
	}
	return j;
}

struct rpc_join *rpc_join_renew(struct rpc_conn *conn, const struct rpc_join_paths *paths,
	void (*done)(void *arg, const struct err *err), void *arg, struct err *err)
{
	struct rpc_join *j = join_new(done, arg, err);

	if (j == NULL)
		return NULL;
	j->paths = *paths;
	if (make_request(paths->key, j->request, &j->csr, err) == 0 && ask_renew(j, conn, err) == 0)
		return j;
	join_free(j);
	return NULL;
}

void rpc_join_cancel(struct rpc_join *j)
{
	if (j->call != NULL)
		rpc_call_cancel(j->call);
	join_free(j);
}
