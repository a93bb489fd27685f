/*
 * For mbedTLS 2.28 and 3.6. Our own functions read and write the socket, so
 * that there is no SIGPIPE and the end of the stream differs from an error. The
 * verification callback decides about the peer's identity, inside the
 * handshake: a refused peer gets an alert, and none of its bytes are parsed.
 */
#include "rpc/tls.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>

#include "lib/civil.h"
#include "lib/err.h"
#include "lib/gcm.h"
#include "lib/mem.h"
#include "rpc/deny.h"
#include "rpc/gcm.h"
#include "rpc/loop.h"
#include "rpc/x509.h"

struct rpc_tls_conf {
	unsigned refs;
	enum rpc_tls_kind kind;
	mbedtls_ssl_config server, client;
	mbedtls_x509_crt chain, ca;
	mbedtls_pk_context key;
	const struct rpc_deny *deny;
	struct rpc_identity self;
};

struct rpc_tls {
	struct rpc_tls_conf *conf;
	mbedtls_ssl_context ssl;
	int fd;
	int wants;
	bool dialled, up, got_bytes;
	enum rpc_role expect;
	/* The record being read: see check_heads. */
	uint8_t head[5];
	unsigned head_len;
	size_t rest;
	bool first_read;
	size_t retry;            /* length of a write that must be repeated */
	mbedtls_x509_time until; /* of the peer's certificate */
	struct rpc_identity peer;
	struct rpc_issuer signer; /* from the certificate at depth 1; only during a handshake */
	struct err *refused;      /* why the callback refused; only during a handshake */
};

/* ECDHE, ECDSA and AEAD only. The 128-bit suites come first, because important
 * data are already sealed with 256 bits. mbedTLS's own AES-GCM is slower than
 * its ChaCha20-Poly1305. */
static const int suites[] = {
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	0,
};
static const int suites_slow_gcm[] = {
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	0,
};

static int setup(mbedtls_ssl_config *ssl, struct rpc_tls_conf *conf, int endpoint, struct err *err)
{
	bool own = conf->kind != RPC_TLS_ENROLL_CLIENT;
	bool ask = conf->kind != RPC_TLS_ENROLL_SERVER;
	int status = mbedtls_ssl_config_defaults(
		ssl, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);

	if (status != 0)
		return rpc_x509_fail(err, ERR_FAILED, status, "TLS configuration");
		/* TLS 1.3 sets a key for each record, which has not been measured with
		 * rpc/gcm. */
#if RPC_MBEDTLS3
	mbedtls_ssl_conf_min_tls_version(ssl, MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_max_tls_version(ssl, MBEDTLS_SSL_VERSION_TLS1_2);
#else
	mbedtls_ssl_conf_min_version(ssl, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
	mbedtls_ssl_conf_max_version(ssl, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#endif
	mbedtls_ssl_conf_ciphersuites(ssl, rpc_gcm_is_ours() ? suites : suites_slow_gcm);
	mbedtls_ssl_conf_cert_profile(ssl, rpc_x509_profile());
	mbedtls_ssl_conf_rng(ssl, rpc_x509_random, NULL);
	mbedtls_ssl_conf_renegotiation(ssl, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#if defined(MBEDTLS_SSL_SESSION_TICKETS) && defined(MBEDTLS_SSL_CLI_C)
	if (endpoint == MBEDTLS_SSL_IS_CLIENT)
		mbedtls_ssl_conf_session_tickets(ssl, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
#endif
	mbedtls_ssl_conf_authmode(ssl, ask ? MBEDTLS_SSL_VERIFY_REQUIRED : MBEDTLS_SSL_VERIFY_NONE);
	if (ask)
		mbedtls_ssl_conf_ca_chain(ssl, &conf->ca, NULL);
	if (own)
		status = mbedtls_ssl_conf_own_cert(ssl, &conf->chain, &conf->key);
	return status == 0 ? 0 : rpc_x509_fail(err, ERR_FAILED, status, "TLS configuration");
}

static int load(struct rpc_tls_conf *conf, const struct rpc_tls_opts *opts, struct err *err)
{
	int status;

	if (opts->kind == RPC_TLS_ENROLL_CLIENT) {
		status = mbedtls_x509_crt_parse_der(&conf->ca, opts->ca_der, opts->ca_len);
		return status == 0 ? 0
				   : rpc_x509_fail(err, ERR_FORMAT, status, "the CA's certificate");
	}
	if (rpc_x509_load_chain(&conf->ca, opts->ca, err) != 0 ||
		rpc_x509_load_chain(&conf->chain, opts->cert, err) != 0 ||
		rpc_x509_load_key(&conf->key, opts->key, err) != 0 ||
		rpc_x509_check_pair(&conf->chain, &conf->key, opts->cert, err) != 0)
		return -1;
	if (rpc_x509_identity(&conf->self, &conf->chain, err) != 0) {
		err->code = ERR_CONFIG;
		return err_prefix(err, "%s", opts->cert);
	}
	return 0;
}

struct rpc_tls_conf *rpc_tls_conf_new(const struct rpc_tls_opts *opts, struct err *err)
{
	struct rpc_tls_conf *conf;

	if (rpc_x509_start(err) != 0 || rpc_gcm_start(err) != 0)
		return NULL;
	conf = mem_new(sizeof *conf, err);
	if (conf == NULL)
		return NULL;
	conf->refs = 1;
	conf->kind = opts->kind;
	conf->deny = opts->deny;
	mbedtls_ssl_config_init(&conf->server);
	mbedtls_ssl_config_init(&conf->client);
	mbedtls_x509_crt_init(&conf->chain);
	mbedtls_x509_crt_init(&conf->ca);
	mbedtls_pk_init(&conf->key);
	if (load(conf, opts, err) != 0 ||
		setup(&conf->server, conf, MBEDTLS_SSL_IS_SERVER, err) != 0 ||
		setup(&conf->client, conf, MBEDTLS_SSL_IS_CLIENT, err) != 0) {
		rpc_tls_conf_unref(conf);
		return NULL;
	}
	return conf;
}

struct rpc_tls_conf *rpc_tls_conf_ref(struct rpc_tls_conf *conf)
{
	conf->refs++;
	return conf;
}

void rpc_tls_conf_unref(struct rpc_tls_conf *conf)
{
	if (conf == NULL || --conf->refs > 0)
		return;
	mbedtls_ssl_config_free(&conf->server);
	mbedtls_ssl_config_free(&conf->client);
	mbedtls_x509_crt_free(&conf->chain);
	mbedtls_x509_crt_free(&conf->ca);
	mbedtls_pk_free(&conf->key);
	free(conf);
}

const struct rpc_identity *rpc_tls_conf_self(const struct rpc_tls_conf *conf)
{
	return &conf->self;
}

/* Checks that a CA may sign for a peer: it is the root, or a manager's
 * intermediate whose manager is not denied. */
static int check_signer(struct rpc_tls *tls, mbedtls_x509_crt *crt, struct err *err)
{
	const struct rpc_deny *deny = tls->conf->deny;

	if (rpc_x509_authority(&tls->signer, crt, err) != 0)
		return -1;
	if (deny != NULL && tls->signer.host[0] != 0 && rpc_deny_has(deny, tls->signer.host))
		return err_set(err, ERR_DENIED,
			"certificate: signed by manager %s, which is on the deny list",
			tls->signer.manager);
	return 0;
}

/* Checks what mbedTLS has not: identity, issuer, role, deny list, and that the
 * peer is not ourselves. */
static int check_peer(struct rpc_tls *tls, mbedtls_x509_crt *crt, struct err *err)
{
	const struct rpc_tls_conf *conf = tls->conf;
	const struct rpc_identity *peer = &tls->peer;

	if (rpc_x509_identity(&tls->peer, crt, err) != 0)
		return -1;
	if (strcmp(peer->issuer.manager, tls->signer.manager) != 0 ||
		strcmp(peer->issuer.host, tls->signer.host) != 0)
		return err_set(
			err, ERR_DENIED, "certificate: not signed by the issuer that it names");
	if (rpc_identity_accepts(conf->kind == RPC_TLS_MUTUAL ? &conf->self : NULL, peer, err) != 0)
		return -1;
	if (tls->expect != RPC_NOBODY && peer->role != tls->expect)
		return err_set(err, ERR_DENIED, "certificate: %s %s, where a %s is expected",
			rpc_role_name(peer->role), peer->name, rpc_role_name(tls->expect));
	if (conf->deny != NULL && rpc_deny_has(conf->deny, peer->host))
		return err_set(err, ERR_DENIED, "certificate: host %s (%s) is on the deny list",
			peer->host, peer->name);
	if (conf->chain.pk_raw.len == crt->pk_raw.len &&
		memcmp(conf->chain.pk_raw.p, crt->pk_raw.p, crt->pk_raw.len) == 0)
		return err_set(
			err, ERR_DENIED, "certificate: it is our own: connected to ourselves");
	tls->until = crt->valid_to;
	return 0;
}

/* Runs from the root (the highest depth) down to the peer (depth 0). */
static int verify(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	struct rpc_tls *tls = arg;
	int status = 0;

	if (tls->refused->code == ERR_NONE && *flags == 0)
		status = depth > 0 ? check_signer(tls, crt, tls->refused)
				   : check_peer(tls, crt, tls->refused);
	if (status != 0 || (depth == 0 && tls->refused->code != ERR_NONE)) {
		tls->peer = (struct rpc_identity){0};
		*flags |= MBEDTLS_X509_BADCERT_OTHER;
	}
	return 0;
}

static int bio_send(void *arg, const unsigned char *bytes, size_t len)
{
	struct rpc_tls *tls = arg;
	ssize_t n = send(tls->fd, bytes, len, MSG_NOSIGNAL);

	if (n >= 0)
		return (int)n;
	if (errno == EAGAIN || errno == EINTR)
		return MBEDTLS_ERR_SSL_WANT_WRITE;
	return MBEDTLS_ERR_NET_SEND_FAILED;
}

/* While a handshake is not encrypted, mbedTLS accepts records of TLS 1.0 to 1.2
 * alike, and TLS does not protect their version. Only a ClientHello may come in
 * a record of version 1.0 (RFC 8446, 5.1); all others must have 1.2, so that a
 * changed bit is always noticed. */
static bool check_heads(struct rpc_tls *tls, const unsigned char *bytes, size_t len)
{
	while (len > 0) {
		size_t n = tls->rest < len ? tls->rest : len;

		tls->rest -= n;
		bytes += n;
		len -= n;
		if (len == 0)
			break;
		tls->head[tls->head_len++] = *bytes++;
		len--;
		if (tls->head_len < sizeof tls->head)
			continue;
		if (tls->head[1] != 3 ||
			(tls->head[2] != 3 &&
				(tls->head[2] != 1 || tls->first_read || tls->dialled)))
			return false;
		tls->first_read = true;
		tls->head_len = 0;
		tls->rest = (size_t)tls->head[3] << 8 | tls->head[4];
	}
	return true;
}

static int bio_recv(void *arg, unsigned char *bytes, size_t len)
{
	struct rpc_tls *tls = arg;
	ssize_t n = recv(tls->fd, bytes, len, 0);

	if (n > 0)
		return check_heads(tls, bytes, (size_t)n) ? (int)n : MBEDTLS_ERR_SSL_INVALID_RECORD;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return MBEDTLS_ERR_SSL_WANT_READ;
	return n == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : MBEDTLS_ERR_NET_CONN_RESET;
}

struct rpc_tls *rpc_tls_new(
	struct rpc_tls_conf *conf, int fd, const struct rpc_expect *expect, struct err *err)
{
	struct rpc_tls *tls = mem_new(sizeof *tls, err);
	char dns[RPC_DNS_MAX];
	int status;

	if (tls == NULL)
		return NULL;
	tls->conf = rpc_tls_conf_ref(conf);
	tls->fd = fd;
	tls->dialled = expect != NULL;
	tls->wants = tls->dialled ? RPC_WRITE : RPC_READ;
	mbedtls_ssl_init(&tls->ssl);
	status = mbedtls_ssl_setup(&tls->ssl, tls->dialled ? &conf->client : &conf->server);
	if (status == 0 && expect != NULL) {
		tls->expect = expect->role;
		rpc_identity_dns(dns, expect->role, expect->name);
		status = mbedtls_ssl_set_hostname(&tls->ssl, dns);
	}
	if (status != 0) {
		rpc_x509_fail(err, ERR_NOMEM, status, "TLS session");
		rpc_tls_free(tls);
		return NULL;
	}
	mbedtls_ssl_set_verify(&tls->ssl, verify, tls);
	mbedtls_ssl_set_bio(&tls->ssl, tls, bio_send, bio_recv, NULL);
	return tls;
}

void rpc_tls_free(struct rpc_tls *tls)
{
	if (tls == NULL)
		return;
	mbedtls_ssl_free(&tls->ssl);
	rpc_tls_conf_unref(tls->conf);
	free(tls);
}

/* Returns 1 if the call must be repeated when the socket is ready. */
static int would_block(struct rpc_tls *tls, int status)
{
	if (status == MBEDTLS_ERR_SSL_WANT_READ)
		tls->wants = RPC_READ;
	else if (status == MBEDTLS_ERR_SSL_WANT_WRITE)
		tls->wants = RPC_WRITE;
	else
		return 0;
	return 1;
}

/* True if the peer hung up while this side was writing, but sent an alert
 * before. */
static bool alert_waits(const struct rpc_tls *tls)
{
	uint8_t head[5];

	return !tls->up && tls->head_len == 0 && tls->rest == 0 &&
	       recv(tls->fd, head, sizeof head, MSG_DONTWAIT | MSG_PEEK) == sizeof head &&
	       head[0] == MBEDTLS_SSL_MSG_ALERT;
}

static int fail(struct rpc_tls *tls, int status, struct err *err)
{
	char text[256], now[CIVIL_TEXT_MAX];
	int why = errno;
	uint32_t flags;

	if ((status == MBEDTLS_ERR_NET_CONN_RESET || status == MBEDTLS_ERR_NET_SEND_FAILED) &&
		alert_waits(tls))
		status = MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE;
	switch (status) {
	case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
		flags = mbedtls_ssl_get_verify_result(&tls->ssl);
		mbedtls_x509_crt_verify_info(text, sizeof text, "", flags);
		text[strcspn(text, "\n")] = 0;
		now[0] = 0;
		if (flags & (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE))
			civil_print(now, time(NULL), 0);
		return err_set(err, ERR_DENIED, "the peer's certificate is refused: %s%s%s", text,
			now[0] != 0 ? "; this machine's clock says " : "", now);
	case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
		return err_set(err, tls->got_bytes ? ERR_CLOSED : ERR_DENIED,
			"the peer ended the connection with a TLS alert%s",
			tls->got_bytes ? "" : ": it refuses our certificate or our TLS");
	case 0:
	case MBEDTLS_ERR_SSL_CONN_EOF:
	case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
		return err_set(err, ERR_CLOSED, "the connection was cut off");
	case MBEDTLS_ERR_NET_CONN_RESET:
	case MBEDTLS_ERR_NET_SEND_FAILED:
		return err_set(err, ERR_CLOSED, "the connection was cut off: %s", strerror(why));
	case MBEDTLS_ERR_SSL_ALLOC_FAILED:
		return err_set(err, ERR_NOMEM, "TLS: out of memory");
	default:
		return rpc_x509_fail(err, tls->up ? ERR_DAMAGE : ERR_DENIED, status, "TLS");
	}
}

int rpc_tls_handshake(struct rpc_tls *tls, struct err *err)
{
	struct err refused = {0};
	int status;

	tls->refused = &refused;
	status = mbedtls_ssl_handshake(&tls->ssl);
	tls->refused = NULL;
	if (would_block(tls, status))
		return 1;
	if (refused.code != ERR_NONE) {
		if (err != NULL)
			*err = refused;
		return -1;
	}
	if (status != 0)
		return fail(tls, status, err);
	/* Redundant: REQUIRED has already ensured this. */
	if (tls->conf->kind != RPC_TLS_ENROLL_SERVER &&
		(tls->peer.role == RPC_NOBODY || mbedtls_ssl_get_verify_result(&tls->ssl) != 0))
		return err_set(err, ERR_DENIED, "the peer is not authenticated");
	tls->up = true;
	return 0;
}

const struct rpc_identity *rpc_tls_peer(const struct rpc_tls *tls)
{
	return &tls->peer;
}

int64_t rpc_tls_until(const struct rpc_tls *tls)
{
	return rpc_x509_time(&tls->until);
}

bool rpc_tls_peer_valid(const struct rpc_tls *tls)
{
	const struct rpc_deny *deny = tls->conf->deny;

	if (tls->peer.role == RPC_NOBODY)
		return tls->conf->kind == RPC_TLS_ENROLL_SERVER;
	return !mbedtls_x509_time_is_past(&tls->until) &&
	       (deny == NULL || (!rpc_deny_has(deny, tls->peer.host) &&
					(tls->peer.issuer.host[0] == 0 ||
						!rpc_deny_has(deny, tls->peer.issuer.host))));
}

int rpc_tls_read(struct rpc_tls *tls, uint8_t *to, size_t cap, size_t *len, struct err *err)
{
	int status = mbedtls_ssl_read(&tls->ssl, to, cap);

	if (status > 0) {
		*len = (size_t)status;
		tls->got_bytes = true;
		return 0;
	}
	if (would_block(tls, status))
		return 1;
	if (status == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
		return 2;
	return fail(tls, status, err);
}

int rpc_tls_write(
	struct rpc_tls *tls, const uint8_t *bytes, size_t bytes_len, size_t *len, struct err *err)
{
	size_t want = tls->retry != 0 ? tls->retry : bytes_len;
	int status;

	assert(want <= bytes_len);
	status = mbedtls_ssl_write(&tls->ssl, bytes, want);
	if (status > 0) {
		tls->retry = 0;
		*len = (size_t)status;
		return 0;
	}
	if (would_block(tls, status)) {
		tls->retry = want;
		return 1;
	}
	return fail(tls, status, err);
}

int rpc_tls_bye(struct rpc_tls *tls, struct err *err)
{
	int status = mbedtls_ssl_close_notify(&tls->ssl);

	if (would_block(tls, status))
		return 1;
	return status == 0 ? 0 : fail(tls, status, err);
}

int rpc_tls_wants(const struct rpc_tls *tls)
{
	return tls->wants;
}

const char *rpc_tls_gcm(struct err *err)
{
	if (rpc_x509_start(err) != 0 || rpc_gcm_start(err) != 0)
		return NULL;
	if (!rpc_gcm_is_ours())
		return "mbedTLS (slow: ChaCha20-Poly1305 is preferred)";
	return gcm_library();
}
