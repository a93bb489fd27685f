/* Shared by tls.c and ca.c; the differences between mbedTLS 2.28 and 3.6 in
 * loading are here. */
#include "rpc/x509.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/platform_util.h>
#if RPC_MBEDTLS3
#include <psa/crypto.h>
#endif

#include "lib/buf.h"
#include "rpc/file.h"

const mbedtls_x509_crt_profile rpc_x509_profile = {
	MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) |
		MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
	MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY),
	MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) |
		MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1),
	2048, /* RSA is not among the algorithms above */
};

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
	while (len > 0) {
		ssize_t n = getrandom(out, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return MBEDTLS_ERR_X509_FATAL_ERROR;
		out += n;
		len -= (size_t)n;
	}
	return 0;
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

int rpc_x509_load_chain(mbedtls_x509_crt *chain, const char *path, struct err *err)
{
	struct buf pem;
	int status;

	buf_init(&pem, RPC_FILE_MAX);
	status = rpc_file_read(path, &pem, false, err);
	if (status == 0) {
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

int rpc_x509_load_key(mbedtls_pk_context *key, const char *path, struct err *err)
{
	struct buf pem;
	int status;

	buf_init(&pem, RPC_FILE_MAX);
	status = rpc_file_read(path, &pem, true, err);
	if (status == 0) {
#if RPC_MBEDTLS3
		status = mbedtls_pk_parse_key(
			key, pem.data, pem.len + 1, NULL, 0, rpc_x509_random, NULL);
#else
		status = mbedtls_pk_parse_key(key, pem.data, pem.len + 1, NULL, 0);
#endif
		if (status != 0)
			status = rpc_x509_fail(err, ERR_CONFIG, status, "private key %s", path);
	}
	if (pem.data != NULL)
		mbedtls_platform_zeroize(pem.data, pem.cap);
	buf_fini(&pem);
	return status == 0 ? 0 : -1;
}

/* Copies the one value that the subject has for an attribute. */
static int get_attribute(
	char *to, size_t cap, const mbedtls_x509_crt *crt, const char *oid, size_t oid_len)
{
	const mbedtls_x509_name *n;
	int count = 0;

	for (n = &crt->subject; n != NULL; n = n->next) {
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

#define GET(to, crt, oid) get_attribute(to, sizeof(to), crt, oid, sizeof(oid) - 1)

static bool has_dns(const mbedtls_x509_crt *crt, const char *dns)
{
	const mbedtls_x509_sequence *san = &crt->subject_alt_names;
	size_t len = strlen(dns);

	/* Exactly one name, and of kind dNSName. */
	return san->next == NULL && san->buf.len == len &&
	       (san->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == 2 &&
	       memcmp(san->buf.p, dns, len) == 0;
}

int rpc_x509_identity(struct rpc_identity *id, const mbedtls_x509_crt *crt, struct err *err)
{
	char name[NAME_LEN_MAX + 1], role[16], host[RPC_HOST_LEN + 1], dns[RPC_DNS_MAX];

	if (GET(name, crt, MBEDTLS_OID_AT_CN) != 0 ||
		GET(role, crt, MBEDTLS_OID_AT_ORG_UNIT) != 0 ||
		GET(host, crt, MBEDTLS_OID_AT_SERIAL_NUMBER) != 0)
		return err_set(
			err, ERR_DENIED, "certificate: its subject has no name, role and host id");
	if (rpc_identity_set(id, rpc_role_get(role, strlen(role)), name, host, err) != 0) {
		err->code = ERR_DENIED;
		return err_prefix(err, "certificate");
	}
	rpc_identity_dns(dns, id->role, id->name);
	if (!has_dns(crt, dns))
		return err_set(err, ERR_DENIED, "certificate: its DNS name is not %s", dns);
	return 0;
}
