/* Shared by tls.c and ca.c. The differences between mbedTLS 2.28 and 3.6 in
 * loading are handled here. mbedTLS is included first, because x509.h defines
 * what 2.28 lacks. */
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "rpc/x509.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#if RPC_MBEDTLS3
#include <psa/crypto.h>
#endif

#include "lib/buf.h"
#include "lib/file.h"
#include "lib/seal.h"
#include "rpc/ca.h"

static const mbedtls_x509_crt_profile accepted = {
	MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) |
		MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
	MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY),
	MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) |
		MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1),
	2048, /* RSA is not among the algorithms above */
};

const void *rpc_x509_profile(void)
{
	return &accepted;
}

int rpc_x509_start(struct err *err)
{
#if RPC_MBEDTLS3
	psa_status_t status = psa_crypto_init();

	if (status != PSA_SUCCESS)
		return err_set(err, ERR_FAILED, "mbedTLS: psa_crypto_init: %d", (int)status);
#endif
	(void)err;
	return 0;
}

int rpc_x509_random(void *unused, unsigned char *out, size_t len)
{
	(void)unused;
	return seal_random(out, len, NULL) == 0 ? 0 : MBEDTLS_ERR_X509_FATAL_ERROR;
}

int rpc_x509_fail(struct err *err, enum err_code code, int mbedtls_code, const char *fmt, ...)
{
	char text[128], what[ERR_MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(what, sizeof what, fmt, ap) < 0)
		what[0] = 0;
	va_end(ap);
	mbedtls_strerror(mbedtls_code, text, sizeof text);
	return err_set(err, code, "%s: %s", what, text);
}

int rpc_x509_load_chain(void *chain, const char *path, struct err *err)
{
	struct buf pem = {.max = RPC_FILE_MAX};
	int status = rpc_x509_start(err);

	if (status == 0 && (status = file_read_buf(path, &pem, NULL, err)) == 0) {
		status = mbedtls_x509_crt_parse(chain, pem.data, pem.len + 1);
		if (status > 0)
			status = err_set(err, ERR_CONFIG, "%s: %d certificates in it are malformed",
				path, status);
		else if (status < 0)
			status = rpc_x509_fail(err, ERR_CONFIG, status, "certificate %s", path);
	}
	buf_fini(&pem);
	return status == 0 ? 0 : -1;
}

int rpc_x509_parse_key(void *key, const void *bytes, size_t len, struct err *err)
{
#if RPC_MBEDTLS3
	int status = mbedtls_pk_parse_key(key, bytes, len, NULL, 0, rpc_x509_random, NULL);
#else
	int status = mbedtls_pk_parse_key(key, bytes, len, NULL, 0);
#endif
	return status == 0 ? 0 : rpc_x509_fail(err, ERR_CONFIG, status, "private key");
}

int rpc_x509_load_key(void *key, const char *path, struct err *err)
{
	struct buf pem = {.max = RPC_FILE_MAX};
	struct stat st;
	int status = rpc_x509_start(err);

	if (status == 0)
		status = file_read_buf(path, &pem, &st, err);
	if (status == 0)
		status = file_check_secret(path, &st, 077, err);
	if (status == 0 && rpc_x509_parse_key(key, pem.data, pem.len + 1, err) != 0)
		status = err_prefix(err, "%s", path);
	seal_wipe(pem.data, pem.cap);
	buf_fini(&pem);
	return status;
}

int rpc_x509_check_pair(const void *cert, const void *key, const char *path, struct err *err)
{
	const mbedtls_x509_crt *crt = cert;
#if RPC_MBEDTLS3
	int status = mbedtls_pk_check_pair(&crt->pk, key, rpc_x509_random, NULL);
#else
	int status = mbedtls_pk_check_pair(&crt->pk, key);
#endif
	return status == 0 ? 0
			   : err_set(err, ERR_CONFIG, "%s: the private key does not belong to it",
				     path);
}

/* Copies the value of an attribute that must occur exactly once in a
 * distinguished name. */
static int get_attribute(
	char *to, size_t cap, const mbedtls_x509_name *dn, const char *oid, size_t oid_len)
{
	const mbedtls_x509_name *n;
	int count = 0;

	for (n = dn; n != NULL; n = n->next) {
		if (n->oid.len != oid_len || memcmp(n->oid.p, oid, oid_len) != 0)
			continue;
		if (n->val.len >= cap || memchr(n->val.p, 0, n->val.len) != NULL)
			return -1;
		memcpy(to, n->val.p, n->val.len);
		to[n->val.len] = 0;
		count++;
	}
	return count == 1 ? 0 : -1;
}

#define GET(to, dn, oid) get_attribute(to, sizeof(to), dn, oid, sizeof(oid) - 1)

/* Parses the subject of a CA, as described in rpc/identity.h. */
static int get_issuer(struct rpc_issuer *issuer, const mbedtls_x509_name *dn, struct err *err)
{
	char kind[32];

	memset(issuer, 0, sizeof *issuer);
	if (GET(kind, dn, MBEDTLS_OID_AT_ORGANIZATION) != 0)
		goto bad;
	if (strcmp(kind, RPC_ROOT_O) == 0)
		return 0;
	if (strcmp(kind, RPC_MANAGER_O) == 0 && GET(issuer->manager, dn, MBEDTLS_OID_AT_CN) == 0 &&
		GET(issuer->host, dn, MBEDTLS_OID_AT_SERIAL_NUMBER) == 0 &&
		name_ok(issuer->manager, strlen(issuer->manager)) &&
		rpc_host_ok(issuer->host, strlen(issuer->host)))
		return 0;
bad:
	return err_set(err, ERR_DENIED,
		"certificate: signed by neither the root nor a manager's intermediate");
}

static bool has_dns(const mbedtls_x509_crt *crt, const char *dns)
{
	const mbedtls_x509_sequence *san = &crt->subject_alt_names;
	size_t len = strlen(dns);

	/* Exactly one name, of the type dNSName. */
	return san->next == NULL && san->buf.len == len &&
	       (san->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == 2 &&
	       memcmp(san->buf.p, dns, len) == 0;
}

int rpc_x509_identity(struct rpc_identity *id, const void *cert, struct err *err)
{
	const mbedtls_x509_crt *crt = cert;
	char name[NAME_LEN_MAX + 1], role[16], host[RPC_HOST_LEN + 1], dns[RPC_DNS_MAX];
	struct rpc_identity got;

	if (GET(name, &crt->subject, MBEDTLS_OID_AT_CN) != 0 ||
		GET(role, &crt->subject, MBEDTLS_OID_AT_ORG_UNIT) != 0 ||
		GET(host, &crt->subject, MBEDTLS_OID_AT_SERIAL_NUMBER) != 0)
		return err_set(
			err, ERR_DENIED, "certificate: its subject has no name, role and host id");
	if (rpc_identity_set(&got, rpc_role_get(role, strlen(role)), name, host, err) != 0) {
		err->code = ERR_DENIED;
		return err_prefix(err, "certificate");
	}
	rpc_identity_dns(dns, got.role, got.name);
	if (!has_dns(crt, dns))
		return err_set(err, ERR_DENIED, "certificate: its DNS name is not %s", dns);
	if (get_issuer(&got.issuer, &crt->issuer, err) != 0 ||
		rpc_identity_signed(&got.issuer, got.role, got.name, err) != 0)
		return -1;
	*id = got;
	return 0;
}

int rpc_x509_authority(struct rpc_issuer *issuer, const void *cert, struct err *err)
{
	const mbedtls_x509_crt *crt = cert;

	return get_issuer(issuer, &crt->subject, err);
}

int64_t rpc_x509_time(const void *time)
{
	const mbedtls_x509_time *t = time;
	struct tm tm = {
		.tm_year = t->year - 1900,
		.tm_mon = t->mon - 1,
		.tm_mday = t->day,
		.tm_hour = t->hour,
		.tm_min = t->min,
		.tm_sec = t->sec,
	};

	return timegm(&tm);
}
