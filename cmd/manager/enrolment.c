/* Tokens, enrolment, denials. Every decision is durable before it is answered. */
#include "cmd/manager/inner_service.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/esc.h"
#include "lib/file.h"
#include "rpc/sponsor.h"

/* --- public keys ----------------------------------------------------------- */

static int is_public(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 4 && strcmp(entry->d_name + len - 4, ".pub") == 0;
}

int manager_inner_load_recipients(struct manager_service *s, struct err *err)
{
	char dir[PATH_MAX], path[2 * PATH_MAX], text[RPC_RECIPIENT_LEN_MAX];
	size_t lens[RPC_RECIPIENTS_MAX];
	struct dirent **names = NULL;
	int i, count, ret = 0;
	struct buf bytes;
	uint8_t *at;

	buf_init(&bytes, RPC_RECIPIENTS_MAX * RPC_RECIPIENT_LEN_MAX);
	snprintf(dir, sizeof dir, "%.4000s/recipients", s->o.dir);
	count = scandir(dir, &names, is_public, alphasort);
	if (count < 0 && errno != ENOENT)
		ret = err_errno(err, errno, "%s", dir);
	else if (count > RPC_RECIPIENTS_MAX)
		ret = err_set(
			err, ERR_LIMIT, "%s: more than %d public keys", dir, RPC_RECIPIENTS_MAX);
	for (i = 0; i < count; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
		if (ret == 0 && (file_read(path, text, sizeof text, &lens[i], NULL, err) != 0 ||
					buf_add(&bytes, text, lens[i], err) != 0))
			ret = -1;
		free(names[i]);
	}
	free(names);
	if (ret != 0) {
		buf_fini(&bytes);
		return -1;
	}
	buf_fini(&s->recipient_bytes);
	s->recipient_bytes = bytes;
	s->recipient_count = count > 0 ? (size_t)count : 0;
	for (i = 0, at = bytes.data; i < count; at += lens[i], i++)
		s->recipients[i] = (struct cbormap_blob){at, lens[i]};
	return 0;
}

/* --- denials --------------------------------------------------------------- */

static int add_denied(void *ctx, const struct manager_db_key *key, const void *row)
{
	const struct manager_denied_row *denied = row;

	(void)key;
	return buf_add(ctx, denied->host, RPC_HOST_LEN, NULL);
}

int manager_inner_load_denied(struct manager_service *s, struct err *err)
{
	struct rpc_issuer by;
	struct buf hosts;
	int ret;

	by = *rpc_ca_issuer(s->ca);
	buf_init(&hosts, (size_t)RPC_DENY_MAX * RPC_HOST_LEN);
	ret = manager_db_each(s->db, MANAGER_TABLE_DENIED, NULL, add_denied, &hosts, err);
	if (ret == 0 &&
		rpc_deny_replace(&s->deny, &by, hosts.data, hosts.len / RPC_HOST_LEN, err) < 0)
		ret = -1;
	buf_fini(&hosts);
	return ret;
}

static int newest_first(const void *a, const void *b)
{
	const struct manager_denied_row *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? 1 : -1;
	return strcmp(x->host, y->host);
}

int manager_inner_denied(struct manager_service *s, struct manager_welcome *w, struct err *err)
{
	struct manager_denied_row *rows;
	struct buf all;
	size_t i, count;
	int ret;

	buf_init(&all, SIZE_MAX);
	ret = manager_db_list(s->db, MANAGER_TABLE_DENIED, NULL, &all, err);
	rows = (void *)all.data;
	count = all.len / sizeof *rows;
	if (count > 0)
		qsort(rows, count, sizeof *rows, newest_first);
	for (i = 0; i < count && i < MANAGER_DENIED_MAX; i++)
		strcpy(w->denied + i * RPC_HOST_LEN, rows[i].host);
	buf_fini(&all);
	return ret;
}

/* Writes a denial; durable with the next commit. */
static int put_denied(struct manager_service *s, const char *role, const char *name,
	const char *host, const char *by, struct err *err)
{
	struct manager_denied_row row = {.time = time(NULL)};
	struct manager_db_key key;

	snprintf(row.host, sizeof row.host, "%s", host);
	snprintf(row.name, sizeof row.name, "%s", name);
	snprintf(row.role, sizeof row.role, "%s", role);
	snprintf(row.by, sizeof row.by, "%s", by);
	manager_db_bytes(&key, row.host, RPC_HOST_LEN);
	return manager_db_put(s->db, MANAGER_TABLE_DENIED, &key, &row, err);
}

void manager_inner_denied_changed(struct manager_service *s)
{
	struct err err = {0};

	if (manager_inner_load_denied(s, &err) != 0 || manager_inner_load_stores(s, &err) != 0)
		manager_inner_log(s, MANAGER_ERROR, "%s", err.message);
	rpc_listen_recheck(s->listen);
	manager_inner_call_all(s);
}

/* --- tokens ---------------------------------------------------------------- */

/* HOST:PORT at which machines enrol. */
static int enroll_address(
	const struct manager_service *s, char to[MANAGER_HOST_PORT + 1], struct err *err)
{
	char port[8];

	snprintf(port, sizeof port, "%u", rpc_enroll_server_port(s->enroll));
	return manager_inner_address(s, port, to, err);
}

/* Digest of the public keys that tokens of this manager vouch for. */
static int recipients_digest(
	const struct manager_service *s, uint8_t digest[RPC_DIGEST_LEN], struct err *err)
{
	struct cbormap_blob files[RPC_RECIPIENTS_MAX];

	memcpy(files, s->recipients, sizeof files);
	return rpc_recipients_digest(digest, files, s->recipient_count, err);
}

/* Makes a token for an agent or store. */
static int make_token(struct manager_service *s, enum rpc_role role, const char *name,
	struct rpc_token *token, struct err *err)
{
	struct buf der;
	int ret;

	*token = (struct rpc_token){.role = role, .address_count = 1};
	strcpy(token->manager, s->self.name);
	strcpy(token->name, name);
	buf_init(&der, RPC_CA_DER_MAX);
	ret = enroll_address(s, token->addresses[0], err) != 0 ||
			      rpc_ca_der(s->ca_cert, &der, token->fingerprint, err) != 0 ||
			      recipients_digest(s, token->recipients, err) != 0 ||
			      rpc_token_secret(token, err) != 0
		      ? -1
		      : 0;
	buf_fini(&der);
	return ret;
}

/* Checks that a token may be made for this name: it is free, or its machine is to be replaced. */
static int check_free(struct manager_service *s, const char *role, const char *name, bool replace,
	struct err *err)
{
	bool denies = strcmp(role, "manager") != 0;
	struct manager_host_row row;
	int got = manager_inner_get_host(s, role, name, &row, err);

	if (got != 0)
		return got < 0 ? -1 : 0;
	if (replace || rpc_deny_has(&s->deny, row.host))
		return 0;
	if (strcmp(role, "operator") == 0)
		return err_set(err, ERR_EXISTS,
			"the operator %s has joined already; 'fdump revoke operator %s' shuts him "
			"out of all managers, and the name is free then",
			name, name);
	return err_set(err, ERR_EXISTS,
		"the %s %s has joined already; --replace makes a token by which a new machine "
		"takes its place%s",
		role, name, denies ? ", and denies the old one" : "");
}

static void reply_made(struct manager_service *s, struct rpc_call *call, const char *token)
{
	struct manager_msg_made made = {.token = ""};
	struct err err = {0};

	strcpy(made.token, token);
	strcpy(made.manager, s->self.name);
	if (enroll_address(s, made.address, &err) == 0)
		manager_inner_reply(call, manager_made_fields, &made);
	else
		rpc_call_fail(call, &err);
}

static int64_t valid_sec(const struct manager_msg_machine *ask)
{
	return ask->valid != 0 ? (int64_t)ask->valid : RPC_TOKEN_SEC;
}

/* Makes the row of the requested token; its hash; and its text if it is made here. */
static int new_token(struct manager_service *s, const struct manager_msg_machine *ask,
	struct manager_token_row *row, uint8_t hash[RPC_DIGEST_LEN], char text[RPC_TOKEN_MAX],
	struct err *err)
{
	enum rpc_role role = rpc_role_get(ask->role, strlen(ask->role));
	bool by_root = role == RPC_MANAGER || role == RPC_OPERATOR;
	uint8_t ticket[RPC_DIGEST_LEN];
	struct rpc_token token;

	if (role == RPC_NOBODY)
		return err_set(
			err, ERR_USAGE, "token: the role is agent, store, manager or operator");
	if (by_root == manager_is_zero(ask->hash, sizeof ask->hash) ||
		by_root != rpc_host_ok(ask->host, strlen(ask->host)))
		return err_set(err, ERR_USAGE, "a token for a %s is made by %s",
			rpc_role_name(role),
			by_root ? "who holds the root's key (--keys)" : "the manager");
	*row = (struct manager_token_row){
		.replace = ask->replace, .until = time(NULL) + valid_sec(ask)};
	strcpy(row->name, ask->name);
	strcpy(row->role, rpc_role_name(role));
	strcpy(row->host, ask->host);
	if (check_free(s, row->role, row->name, row->replace, err) != 0)
		return -1;
	if (by_root) {
		memcpy(hash, ask->hash, RPC_DIGEST_LEN);
		return 0;
	}
	if (make_token(s, role, row->name, &token, err) != 0 ||
		rpc_token_text(text, &token, err) != 0 ||
		rpc_token_ticket(ticket, &token, err) != 0)
		return -1;
	rpc_ticket_hash(hash, ticket);
	return 0;
}

/* Allows the replacement of the machine of this name, if there is one: until `until`, another
 * machine can take its place by saying hello, with a certificate from any manager. Durable with the
 * next commit. */
static int allow_other(struct manager_service *s, const char *role, const char *name, int64_t until,
	struct err *err)
{
	struct manager_host_row row;
	int got = manager_inner_get_host(s, role, name, &row, err);

	if (got != 0)
		return got < 0 ? -1 : 0;
	row.replace = until;
	return manager_inner_put_host(s, &row, err);
}

/* Old tokens are removed, but only long after they expired: until then they are good for a clear
 * message. */
struct old {
	int64_t before;
	struct manager_db_key keys[64];
	size_t count;
};

static int find_old(void *ctx, const struct manager_db_key *key, const void *row)
{
	const struct manager_token_row *token = row;
	struct old *old = ctx;

	if (token->until < old->before)
		old->keys[old->count++] = *key;
	return old->count == sizeof old->keys / sizeof *old->keys;
}

static void drop_old(struct manager_service *s)
{
	struct old old = {.before = time(NULL) - 30 * 86400};
	size_t i;

	manager_db_each(s->db, MANAGER_TABLE_TOKENS, NULL, find_old, &old, NULL);
	for (i = 0; i < old.count; i++)
		manager_db_del(s->db, MANAGER_TABLE_TOKENS, &old.keys[i], NULL);
}

void manager_inner_token(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	struct manager_service *s = ctx;
	uint8_t hash[RPC_DIGEST_LEN];
	char text[RPC_TOKEN_MAX] = "";
	struct manager_msg_machine ask = {.role = ""};
	struct manager_token_row row;
	struct manager_db_key key;
	struct err err = {0};

	cbormap_store(&ask, manager_token_fields_in, values);
	if (new_token(s, &ask, &row, hash, text, &err) != 0) {
		rpc_call_fail(call, &err);
		return;
	}
	drop_old(s);
	manager_db_bytes(&key, hash, sizeof hash);
	manager_inner_audit(s, rpc_call_peer(call), "token for %s %s%s, for %lld minutes", row.role,
		row.name, row.replace ? ", in place of the one that is known" : "",
		(long long)(row.until - time(NULL) + 59) / 60);
	if ((row.replace && text[0] != 0 &&
		    allow_other(s, row.role, row.name, row.until, &err) != 0) ||
		manager_db_put(s->db, MANAGER_TABLE_TOKENS, &key, &row, &err) != 0 ||
		manager_inner_commit(s, &err) != 0) {
		rpc_call_fail(call, &err);
		return;
	}
	reply_made(s, call, text);
	/* It may be for a machine that was refused. */
	if (row.replace)
		manager_inner_call_all(s);
}

/* Allows a replacement on this manager, when another manager has made a token with `replace`. */
void manager_inner_replace(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	struct manager_msg_machine ask = {.role = ""};
	struct manager_service *s = ctx;
	struct err err = {0};
	int64_t sec;

	cbormap_store(&ask, manager_replace_fields, values);
	sec = valid_sec(&ask);
	if (strcmp(ask.role, "agent") != 0 && strcmp(ask.role, "store") != 0) {
		err_set(&err, ERR_USAGE, "replace: the role is agent or store");
		rpc_call_fail(call, &err);
		return;
	}
	manager_inner_audit(s, rpc_call_peer(call), "%s %s may be replaced, for %lld minutes",
		ask.role, ask.name, (long long)(sec + 59) / 60);
	if (allow_other(s, ask.role, ask.name, time(NULL) + sec, &err) != 0 ||
		manager_inner_commit(s, &err) != 0) {
		rpc_call_fail(call, &err);
		return;
	}
	rpc_call_reply(call, "\xa0", 1, NULL);
	manager_inner_call_all(s);
}

int manager_inner_deny_other(struct manager_service *s, const char *role, const char *name,
	const char *host, struct err *err)
{
	struct manager_host_row row;
	int got = manager_inner_get_host(s, role, name, &row, err);

	if (got != 0)
		return got;
	if (strcmp(row.host, host) == 0 || rpc_deny_has(&s->deny, row.host) ||
		strcmp(role, "manager") == 0)
		return 1;
	return put_denied(s, role, name, row.host, s->self.name, err);
}

/* --- enrolment ------------------------------------------------------------- */

/* Answers with the certificate and all that a new machine must know. */
static void answer(struct manager_service *s, struct rpc_enroll_ask *ask,
	const struct manager_token_row *token, const void *chain, size_t len, bool denied)
{
	struct rpc_enroll_result result = {.manager_count = 0};
	struct manager_peer peers[MANAGER_PEERS_MAX];
	size_t count = manager_inner_peers(s, peers), i;

	memcpy(result.chain, chain, len);
	memcpy(result.recipients, s->recipients, sizeof s->recipients);
	result.recipient_count = s->recipient_count;
	for (i = 0; i < count && i < RPC_MANAGERS_MAX; i++) {
		struct rpc_enroll_manager *m = &result.managers[result.manager_count++];

		strcpy(m->name, peers[i].name);
		strcpy(m->addresses[0], peers[i].address);
		m->address_count = 1;
	}
	for (i = 0; i < s->store_count && i < RPC_STORES_MAX; i++) {
		struct rpc_enroll_store *to = &result.stores[result.store_count++];

		strcpy(to->name, s->stores[i].name);
		snprintf(to->address, sizeof to->address, "%.*s", RPC_HOST_PORT_MAX,
			manager_inner_reach(s, &s->stores[i]));
		memcpy(to->uid, s->stores[i].uid, sizeof to->uid);
		memcpy(to->key, s->stores[i].key, sizeof to->key);
	}
	manager_inner_log(s, MANAGER_NOTICE, "%s %s has joined from %s%s", token->role, token->name,
		ask->address, denied ? "; the one before is denied" : "");
	if (denied)
		manager_inner_denied_changed(s);
	rpc_enroll_answer(ask, &result);
}

/* Finds the token that was presented. Returns 0, or -1 with err set: it is not valid, or its holder
 * would not accept the answer. */
static int find_token(struct manager_service *s, const struct rpc_enroll_ask *ask,
	struct manager_db_key *key, struct manager_token_row *row, struct err *err)
{
	uint8_t recipients[RPC_DIGEST_LEN];
	int got;

	manager_db_bytes(key, ask->hash, sizeof ask->hash);
	got = manager_db_get(s->db, MANAGER_TABLE_TOKENS, key, row, err);
	if (got < 0)
		return -1;
	if (rpc_token_check(got == 0, row->until, row->used, time(NULL), err) != 0 ||
		recipients_digest(s, recipients, err) != 0)
		return -1;
	if (memcmp(recipients, ask->recipients, sizeof recipients) == 0)
		return 0;
	return err_set(err, ERR_DENIED,
		"token: the manager has other public keys than the token vouches for; make a new "
		"one");
}

/* Uses the token up, and gives its name to the new host. Durable when it returns 0. *denied:
 * whether an old host was denied. */
static int use_token(struct manager_service *s, const struct manager_db_key *token_key,
	struct manager_token_row *token, const char *host, const char *address, bool *denied,
	struct err *err)
{
	struct manager_host_row row = manager_inner_new_host(token->role, token->name, host);
	int got;

	if (check_free(s, token->role, token->name, token->replace, err) != 0) {
		if (err->code == ERR_EXISTS)
			err->code = ERR_DENIED;
		return -1;
	}
	got = manager_inner_deny_other(s, token->role, token->name, host, err);
	*denied = got == 0;
	row.seen = row.since;
	snprintf(row.address, sizeof row.address, "%s", address);
	token->used = time(NULL);
	if (got < 0 || manager_inner_put_host(s, &row, err) != 0 ||
		manager_db_put(s->db, MANAGER_TABLE_TOKENS, token_key, token, err) != 0)
		return -1;
	return manager_inner_commit(s, err);
}

/* Enrols an agent or store; this manager signs its certificate. */
static int enrol(struct manager_service *s, struct rpc_enroll_ask *ask,
	const struct manager_db_key *key, struct manager_token_row *token, struct err *err)
{
	char host[RPC_HOST_LEN + 1];
	struct rpc_identity id;
	struct buf chain;
	bool denied = false;
	int ret;

	buf_init(&chain, RPC_CHAIN_MAX);
	ret = rpc_host_new(host, err) != 0 ||
			      rpc_identity_set(&id, rpc_role_get(token->role, strlen(token->role)),
				      token->name, host, err) != 0 ||
			      rpc_ca_sign(s->ca, ask->csr, ask->csr_len, &id, 0, 0, &chain, err) !=
				      0 ||
			      use_token(s, key, token, host, ask->address, &denied, err) != 0
		      ? -1
		      : 0;
	if (ret == 0)
		answer(s, ask, token, chain.data, chain.len, denied);
	buf_fini(&chain);
	return ret;
}

static void on_asked(void *arg, struct rpc_enroll_ask *ask)
{
	struct manager_service *s = arg;
	struct manager_token_row token;
	struct manager_db_key key;
	struct err err = {0};
	int ret = find_token(s, ask, &key, &token, &err);

	if (ret == 0 && token.host[0] != 0)
		ret = rpc_sponsors_park(s->sponsors, ask, &err);
	else if (ret == 0)
		ret = enrol(s, ask, &key, &token, &err);
	if (ret != 0)
		rpc_enroll_refuse(ask, &err);
}

static void on_gone(void *arg, struct rpc_enroll_ask *ask)
{
	rpc_sponsors_gone(((struct manager_service *)arg)->sponsors, ask);
}

/* Enrols a manager or operator, whose certificate the root signed. */
static int on_granted(
	void *arg, struct rpc_enroll_ask *ask, const void *chain, size_t len, struct err *err)
{
	struct manager_service *s = arg;
	struct manager_token_row token;
	struct manager_db_key key;
	bool denied;

	if (find_token(s, ask, &key, &token, err) != 0 ||
		use_token(s, &key, &token, token.host, ask->address, &denied, err) != 0)
		return -1;
	answer(s, ask, &token, chain, len, denied);
	return 0;
}

void manager_inner_sponsor(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	rpc_sponsor_serve(((struct manager_service *)ctx)->sponsors, call, values);
}

void manager_inner_grant(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	rpc_grant_serve(((struct manager_service *)ctx)->sponsors, call, values);
}

/* --- revocation ------------------------------------------------------------ */

/* Checks that no other machine than this one is known by the host id. Returns 0, or -1 with err
 * set. */
static int check_owner(struct manager_service *s, const char *host, const char *role,
	const char *name, struct err *err)
{
	const struct manager_host_row *other;
	struct buf rows;
	size_t i, count;
	int ret;

	buf_init(&rows, SIZE_MAX);
	ret = manager_db_list(s->db, MANAGER_TABLE_HOSTS, NULL, &rows, err);
	other = (const void *)rows.data;
	count = rows.len / sizeof *other;
	for (i = 0; i < count && ret == 0; i++, other++)
		if (strcmp(other->host, host) == 0 &&
			(strcmp(other->role, role) != 0 || strcmp(other->name, name) != 0))
			ret = err_set(err, ERR_DENIED,
				"host id %.8s is that of the %s %s, not of the %s %s", host,
				other->role, other->name, role, name);
	buf_fini(&rows);
	return ret;
}

/* Denies a host id, even if this manager does not know it: the operator may know more. Returns 0; 1
 * if it is denied already, by an undamaged entry; -1 with err set. */
static int revoke(struct manager_service *s, const struct rpc_identity *who,
	const struct manager_msg_machine *ask, struct err *err)
{
	const char *role = ask->role, *name = ask->name, *host = ask->host;
	struct manager_denied_row denied = {.time = 0};
	struct manager_host_row row;
	struct manager_db_key key;
	int got = manager_inner_get_host(s, role, name, &row, err);

	if (got < 0)
		return -1;
	if (got == 1 && host[0] == 0)
		return err_set(err, ERR_NOTFOUND, "no %s %s has joined here", role, name);
	if (host[0] == 0)
		host = row.host;
	if (strcmp(host, s->self.host) == 0)
		return err_set(err, ERR_USAGE, "a manager can't deny itself");
	if (check_owner(s, host, role, name, err) != 0)
		return -1;
	manager_db_bytes(&key, host, RPC_HOST_LEN);
	if (manager_db_get(s->db, MANAGER_TABLE_DENIED, &key, &denied, err) < 0)
		return -1;
	if (denied.time != 0)
		return 1;
	manager_inner_audit(s, who, "%s %s is denied (host id %s)", role, name, host);
	if (got == 1) { /* list it from now on, so that it can be seen here */
		row = manager_inner_new_host(role, name, host);
		got = manager_inner_put_host(s, &row, err);
	}
	if (got != 0 || put_denied(s, role, name, host, who->name, err) != 0)
		return -1;
	return manager_inner_commit(s, err);
}

void manager_inner_revoke(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	struct manager_service *s = ctx;
	struct manager_msg_machine ask = {.role = ""};
	struct err err = {0};
	int ret = -1;

	cbormap_store(&ask, manager_revoke_fields, values);
	if (rpc_role_get(ask.role, strlen(ask.role)) == RPC_NOBODY)
		err_set(&err, ERR_USAGE, "revoke: the role is agent, store, manager or operator");
	else if (ask.host[0] != 0 && !rpc_host_ok(ask.host, strlen(ask.host)))
		err_set(&err, ERR_USAGE, "revoke: malformed host id");
	else
		ret = revoke(s, rpc_call_peer(call), &ask, &err);
	if (ret < 0) {
		rpc_call_fail(call, &err);
		return;
	}
	rpc_call_reply(call, "\xa0", 1, NULL);
	if (ret == 0)
		manager_inner_denied_changed(s);
}

/* --- listening ------------------------------------------------------------- */

static void on_access(void *arg, const struct rpc_access *access)
{
	struct manager_service *s = arg;
	char why[ERR_MESSAGE_MAX];

	if (access->status == ERR_NONE) {
		s->o.access(s->o.ctx, access);
		return;
	}
	esc_name(why, sizeof why, access->message, strlen(access->message));
	manager_inner_log(s, MANAGER_WARNING, "%s: may not join: %s", access->address, why);
}

static void on_refused(void *arg, const char *address, const struct err *why)
{
	manager_inner_log(
		arg, MANAGER_WARNING, "enrolment: %s: refused: %s", address, why->message);
}

int manager_inner_enrolment_start(struct manager_service *s, struct err *err)
{
	struct rpc_enroll_server_opts opts = {.cert = s->cert,
		.key = s->key,
		.ca_cert = s->ca_cert,
		.host = s->o.enroll_host,
		.port = s->o.enroll_port,
		.arg = s,
		.asked = on_asked,
		.gone = on_gone,
		.log = on_access,
		.refused = on_refused};

	s->sponsors = rpc_sponsors_new(on_granted, s, err);
	if (s->sponsors == NULL)
		return -1;
	s->enroll = rpc_enroll_server_new(s->o.loop, &opts, err);
	return s->enroll != NULL ? 0 : -1;
}

void manager_inner_enrolment_stop(struct manager_service *s)
{
	rpc_sponsors_free(s->sponsors);
	s->sponsors = NULL;
	rpc_enroll_server_free(s->enroll);
	s->enroll = NULL;
}
