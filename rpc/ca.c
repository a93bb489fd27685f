/*
 * Uses mbedTLS's certificate writer. Extended key usage and subjectAltName are
 * written as DER by hand, because 2.28 has no functions for them.
 */
#include "rpc/ca.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mbedtls/ecp.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>

#include "lib/buf.h"
#include "lib/esc.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/mem.h"
#include "lib/pass.h"
#include "lib/seal.h"
#include "rpc/x509.h"

#define DAY_SEC 86400

struct rpc_ca {
	mbedtls_pk_context key;
	mbedtls_x509_crt crt;
	struct rpc_issuer issuer;
};

/* A certificate to be written. */
struct plan {
	mbedtls_pk_context *subject_key;
	const char *subject;         /* "CN=..." */
	const struct rpc_ca *issuer; /* NULL: self-signed */
	int path_len;                /* of a CA; -1: an end certificate */
	const char *dns;             /* for an end certificate */
	int64_t not_before, not_after;
};

/* --- Keys --- */

static int make_key(mbedtls_pk_context *key, struct err *err)
{
	int status = rpc_x509_start(err);

	if (status != 0)
		return -1;
	status = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
	if (status == 0)
		status = mbedtls_ecp_gen_key(
			MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), rpc_x509_random, NULL);
	return status == 0 ? 0 : rpc_x509_fail(err, ERR_FAILED, status, "make a private key");
}

typedef int write_file(
	const char *path, const void *bytes, size_t len, mode_t mode, struct err *err);

/* Saves the key as unprotected PEM. */
static int save_key(
	mbedtls_pk_context *key, const char *path, write_file *write_it, struct err *err)
{
	unsigned char pem[2048];
	int status = mbedtls_pk_write_key_pem(key, pem, sizeof pem);

	if (status != 0)
		status = rpc_x509_fail(err, ERR_FAILED, status, "private key %s", path);
	else
		status = write_it(path, pem, strlen((char *)pem), 0600, err);
	mbedtls_platform_zeroize(pem, sizeof pem);
	return status;
}

/* Saves the key as DER, protected by a passphrase. */
static int seal_key(
	mbedtls_pk_context *key, const char *path, const struct pass *pass, struct err *err)
{
	unsigned char der[SEALED_SECRET_MAX];
	int status = mbedtls_pk_write_key_der(key, der, sizeof der);

	/* mbedTLS writes to the end of the buffer. */
	if (status < 0)
		status = rpc_x509_fail(err, ERR_FAILED, status, "private key %s", path);
	else
		status = sealed_save(path, RPC_ROOT_HEADER, pass, der + sizeof der - status,
			(size_t)status, err);
	mbedtls_platform_zeroize(der, sizeof der);
	return status;
}

int rpc_key_make(const char *path, struct err *err)
{
	mbedtls_pk_context key;
	int status;

	mbedtls_pk_init(&key);
	status = make_key(&key, err);
	if (status == 0)
		status = save_key(&key, path, file_write, err);
	mbedtls_pk_free(&key);
	return status;
}

int rpc_csr_make(const char *key_path, struct buf *csr, struct err *err)
{
	mbedtls_x509write_csr ctx;
	mbedtls_pk_context key;
	unsigned char der[RPC_CSR_MAX];
	int status;

	mbedtls_x509write_csr_init(&ctx);
	mbedtls_pk_init(&key);
	status = rpc_x509_load_key(&key, key_path, err);
	if (status != 0)
		goto out;
	mbedtls_x509write_csr_set_md_alg(&ctx, MBEDTLS_MD_SHA256);
	mbedtls_x509write_csr_set_key(&ctx, &key);
	status = mbedtls_x509write_csr_set_subject_name(&ctx, "CN=fdump");
	if (status == 0)
		status = mbedtls_x509write_csr_der(&ctx, der, sizeof der, rpc_x509_random, NULL);
	/* mbedTLS writes to the end of the buffer. */
	if (status < 0)
		status = rpc_x509_fail(err, ERR_FAILED, status, "certificate request");
	else
		status = buf_add(csr, der + sizeof der - status, (size_t)status, err);
out:
	mbedtls_x509write_csr_free(&ctx);
	mbedtls_pk_free(&key);
	return status;
}

/* --- Writing certificates --- */

static void time_text(char text[16], int64_t unix_sec)
{
	time_t t = (time_t)unix_sec;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, 16, "%Y%m%d%H%M%S", &tm);
}

/* 127 random bits, with the highest of them set so that the length never
 * varies. */
static int set_serial(mbedtls_x509write_cert *ctx)
{
	unsigned char serial[16];
	int status = rpc_x509_random(NULL, serial, sizeof serial);

	serial[0] = (serial[0] & 0x7f) | 0x40;
#if RPC_MBEDTLS3
	if (status == 0)
		status = mbedtls_x509write_crt_set_serial_raw(ctx, serial, sizeof serial);
#else
	mbedtls_mpi mpi;

	mbedtls_mpi_init(&mpi);
	if (status == 0)
		status = mbedtls_mpi_read_binary(&mpi, serial, sizeof serial);
	if (status == 0)
		status = mbedtls_x509write_crt_set_serial(ctx, &mpi);
	mbedtls_mpi_free(&mpi);
#endif
	return status;
}

/* serverAuth and clientAuth, because either side may dial. RFC 5280, 4.2.1.12. */
static const unsigned char both_usages[] = {0x30, 0x14, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05,
	0x07, 0x03, 0x01, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02};

#define SET_EXTENSION(ctx, oid, val, len)                                                          \
	mbedtls_x509write_crt_set_extension(ctx, oid, sizeof(oid) - 1, 0, val, len)

static int set_end_extensions(mbedtls_x509write_cert *ctx, const char *dns)
{
	unsigned char san[4 + RPC_DNS_MAX];
	size_t len = strlen(dns);
	int status;

	/* SEQUENCE { [2] dNSName }: lengths below 128 are one byte. */
	san[0] = 0x30;
	san[1] = (unsigned char)(len + 2);
	san[2] = 0x82;
	san[3] = (unsigned char)len;
	memcpy(san + 4, dns, len);
	status = mbedtls_x509write_crt_set_key_usage(ctx, MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
	if (status == 0)
		status = SET_EXTENSION(
			ctx, MBEDTLS_OID_EXTENDED_KEY_USAGE, both_usages, sizeof both_usages);
	if (status == 0)
		status = SET_EXTENSION(ctx, MBEDTLS_OID_SUBJECT_ALT_NAME, san, len + 4);
	return status;
}

static int fill_in(mbedtls_x509write_cert *ctx, const struct plan *plan, mbedtls_pk_context *signer,
	const char *issuer)
{
	char from[16], until[16];
	int status;

	time_text(from, plan->not_before);
	time_text(until, plan->not_after);
	mbedtls_x509write_crt_set_version(ctx, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(ctx, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(ctx, plan->subject_key);
	mbedtls_x509write_crt_set_issuer_key(ctx, signer);
	if ((status = set_serial(ctx)) != 0 ||
		(status = mbedtls_x509write_crt_set_subject_name(ctx, plan->subject)) != 0 ||
		(status = mbedtls_x509write_crt_set_issuer_name(ctx, issuer)) != 0 ||
		(status = mbedtls_x509write_crt_set_validity(ctx, from, until)) != 0 ||
		(status = mbedtls_x509write_crt_set_basic_constraints(
			 ctx, plan->path_len >= 0, plan->path_len)) != 0 ||
		(status = mbedtls_x509write_crt_set_subject_key_identifier(ctx)) != 0 ||
		(status = mbedtls_x509write_crt_set_authority_key_identifier(ctx)) != 0)
		return status;
	if (plan->path_len < 0)
		return set_end_extensions(ctx, plan->dns);
	return mbedtls_x509write_crt_set_key_usage(
		ctx, MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN);
}

/* Appends the certificate to out, as PEM. */
static int write_certificate(const struct plan *plan, struct buf *out, struct err *err)
{
	mbedtls_x509write_cert ctx;
	mbedtls_pk_context *signer = plan->subject_key;
	unsigned char pem[4096];
	char issuer[256];
	int status = 0;

	mbedtls_x509write_crt_init(&ctx);
	snprintf(issuer, sizeof issuer, "%s", plan->subject);
	if (plan->issuer != NULL) {
		signer = (mbedtls_pk_context *)&plan->issuer->key;
		status = mbedtls_x509_dn_gets(issuer, sizeof issuer, &plan->issuer->crt.subject);
	}
	if (status >= 0)
		status = fill_in(&ctx, plan, signer, issuer);
	if (status == 0)
		status = mbedtls_x509write_crt_pem(&ctx, pem, sizeof pem, rpc_x509_random, NULL);
	if (status != 0)
		status =
			rpc_x509_fail(err, ERR_FAILED, status, "certificate for %s", plan->subject);
	else
		status = buf_add(out, pem, strlen((char *)pem), err);
	mbedtls_x509write_crt_free(&ctx);
	return status;
}

/* --- Authorities --- */

int rpc_ca_make(const char *key_path, const char *cert_path, const char *label,
	const struct pass *pass, struct err *err)
{
	char subject[NAME_LEN_MAX + 32];
	struct plan plan = {.subject = subject, .path_len = 1};
	mbedtls_pk_context key;
	struct buf pem = {.max = RPC_FILE_MAX};
	int status;

	if (name_check("CA", label, err) != 0)
		return -1;
	snprintf(subject, sizeof subject, "CN=%s,O=" RPC_ROOT_O, label);
	mbedtls_pk_init(&key);
	plan.subject_key = &key;
	plan.not_before = time(NULL) - RPC_CERT_SKEW_SEC;
	plan.not_after = time(NULL) + (int64_t)RPC_ROOT_DAYS * DAY_SEC;
	status = make_key(&key, err);
	if (status == 0)
		status = write_certificate(&plan, &pem, err);
	if (status == 0)
		status = pass != NULL ? seal_key(&key, key_path, pass, err)
				      : save_key(&key, key_path, file_write_new, err);
	if (status == 0)
		status = file_write_new(cert_path, pem.data, pem.len, 0644, err);
	mbedtls_pk_free(&key);
	buf_fini(&pem);
	return status;
}

static int load_ca_key(
	struct rpc_ca *ca, const char *path, sealed_ask *ask, const char *ctx, struct err *err)
{
	uint8_t der[SEALED_SECRET_MAX];
	size_t len;
	int status = sealed_load(path, RPC_ROOT_HEADER, ask, ctx, der, &len, err);

	if (status == 1)
		return rpc_x509_load_key(&ca->key, path, err);
	if (status == 0)
		status = rpc_x509_parse_key(&ca->key, der, len, err);
	mbedtls_platform_zeroize(der, sizeof der);
	return status;
}

struct rpc_ca *rpc_ca_open(const char *key_path, const char *cert_path, sealed_ask *ask,
	const char *ctx, struct err *err)
{
	struct rpc_ca *ca = mem_new(sizeof *ca, err);

	if (ca == NULL)
		return NULL;
	mbedtls_pk_init(&ca->key);
	mbedtls_x509_crt_init(&ca->crt);
	if (rpc_x509_load_chain(&ca->crt, cert_path, err) != 0 ||
		rpc_x509_authority(&ca->issuer, &ca->crt, err) != 0 ||
		load_ca_key(ca, key_path, ask, ctx, err) != 0 ||
		rpc_x509_check_pair(&ca->crt, &ca->key, cert_path, err) != 0) {
		rpc_ca_close(ca);
		return NULL;
	}
	return ca;
}

void rpc_ca_close(struct rpc_ca *ca)
{
	if (ca == NULL)
		return;
	mbedtls_pk_free(&ca->key);
	mbedtls_x509_crt_free(&ca->crt);
	free(ca);
}

/* --- Signing --- */

/* The request's signature over itself proves that the requester has the key. */
static int check_possession(mbedtls_x509_csr *csr, struct err *err)
{
	mbedtls_md_type_t md = csr->MBEDTLS_PRIVATE(sig_md);
	const mbedtls_x509_buf *sig = &csr->MBEDTLS_PRIVATE(sig);
	const mbedtls_md_info_t *info = mbedtls_md_info_from_type(md);
	mbedtls_ecp_group_id group;
	unsigned char hash[MBEDTLS_MD_MAX_SIZE];

	if (!mbedtls_pk_can_do(&csr->pk, MBEDTLS_PK_ECDSA) || info == NULL ||
		(md != MBEDTLS_MD_SHA256 && md != MBEDTLS_MD_SHA384 && md != MBEDTLS_MD_SHA512))
		return err_set(err, ERR_UNSUPPORTED,
			"certificate request: not signed by ECDSA with SHA-2");
	group = mbedtls_pk_ec(csr->pk)->MBEDTLS_PRIVATE(grp).id;
	if (group != MBEDTLS_ECP_DP_SECP256R1 && group != MBEDTLS_ECP_DP_SECP384R1)
		return err_set(err, ERR_UNSUPPORTED,
			"certificate request: the curve is not P-256 or P-384");
	if (mbedtls_md(info, csr->cri.p, csr->cri.len, hash) != 0 ||
		mbedtls_pk_verify(
			&csr->pk, md, hash, mbedtls_md_get_size(info), sig->p, sig->len) != 0)
		return err_set(err, ERR_DENIED,
			"certificate request: its signature is not that of its key");
	return 0;
}

const struct rpc_issuer *rpc_ca_issuer(const struct rpc_ca *ca)
{
	return &ca->issuer;
}

int64_t rpc_ca_until(const struct rpc_ca *ca)
{
	return rpc_x509_time(&ca->crt.valid_to);
}

/* Writes the certificate that plan describes for the request's public key. */
static int sign_request(struct rpc_ca *ca, const void *csr_der, size_t len, struct plan *plan,
	struct buf *out, struct err *err)
{
	mbedtls_x509_csr csr;
	int status;

	if (len > RPC_CSR_MAX)
		return err_set(err, ERR_LIMIT, "certificate request: %zu bytes, at most %d", len,
			RPC_CSR_MAX);
	mbedtls_x509_csr_init(&csr);
	status = mbedtls_x509_csr_parse_der(&csr, csr_der, len);
	if (status != 0)
		status = rpc_x509_fail(err, ERR_FORMAT, status, "certificate request");
	else
		status = check_possession(&csr, err);
	if (status == 0) {
		plan->issuer = ca;
		plan->subject_key = &csr.pk;
		if (plan->not_before == 0)
			plan->not_before = time(NULL) - RPC_CERT_SKEW_SEC;
		if (plan->not_after > rpc_x509_time(&ca->crt.valid_to))
			plan->not_after = rpc_x509_time(&ca->crt.valid_to);
		status = write_certificate(plan, out, err);
	}
	mbedtls_x509_csr_free(&csr);
	return status;
}

int rpc_ca_intermediate(struct rpc_ca *ca, const void *csr, size_t len, const char *manager,
	const char *host, struct buf *cert, struct err *err)
{
	char subject[NAME_LEN_MAX + 96];
	struct plan plan = {.subject = subject, .path_len = 0};
	struct rpc_identity id;

	if (ca->issuer.manager[0] != 0)
		return err_set(err, ERR_DENIED, "CA: only the root signs for a manager");
	if (rpc_identity_set(&id, RPC_MANAGER, manager, host, err) != 0)
		return -1;
	snprintf(subject, sizeof subject, "CN=%s,O=" RPC_MANAGER_O ",serialNumber=%s", manager,
		host);
	plan.not_after = time(NULL) + (int64_t)RPC_INTERMEDIATE_DAYS * DAY_SEC;
	return sign_request(ca, csr, len, &plan, cert, err);
}

int rpc_ca_sign(struct rpc_ca *ca, const void *csr, size_t len, const struct rpc_identity *id,
	int64_t not_before, int64_t not_after, struct buf *chain, struct err *err)
{
	char subject[NAME_LEN_MAX + 96], dns[RPC_DNS_MAX];
	struct plan plan = {.subject = subject,
		.dns = dns,
		.path_len = -1,
		.not_before = not_before,
		.not_after = not_after};
	int days = id->role == RPC_OPERATOR ? RPC_OPERATOR_DAYS : RPC_CERT_DAYS;

	if (rpc_identity_signed(&ca->issuer, id->role, id->name, err) != 0)
		return -1;
	snprintf(subject, sizeof subject, "CN=%s,OU=%s,serialNumber=%s", id->name,
		rpc_role_name(id->role), id->host);
	rpc_identity_dns(dns, id->role, id->name);
	if (not_after == 0)
		plan.not_after = time(NULL) + (int64_t)days * DAY_SEC;
	if (sign_request(ca, csr, len, &plan, chain, err) != 0)
		return -1;
	return ca->issuer.manager[0] == 0 ? 0
					  : rpc_ca_pem(ca->crt.raw.p, ca->crt.raw.len, chain, err);
}

/* --- Reading certificates --- */

int rpc_cert_info(const char *path, struct rpc_cert_info *info, struct err *err)
{
	mbedtls_x509_crt crt;
	int status;

	mbedtls_x509_crt_init(&crt);
	status = rpc_x509_load_chain(&crt, path, err);
	if (status == 0)
		status = rpc_x509_identity(&info->id, &crt, err);
	if (status == 0) {
		info->not_before = rpc_x509_time(&crt.valid_from);
		info->not_after = rpc_x509_time(&crt.valid_to);
	}
	mbedtls_x509_crt_free(&crt);
	return status;
}

/* Parses root and chain, and verifies the chain against the root and the key. */
static int check_chain(mbedtls_x509_crt *root, const void *root_der, size_t root_len,
	mbedtls_x509_crt *chain, const void *pem, size_t len, const char *key_path, struct err *err)
{
	mbedtls_pk_context key;
	struct buf text = {.max = RPC_CHAIN_MAX + 1};
	uint32_t flags;
	int status;

	mbedtls_pk_init(&key);
	status = buf_add(&text, pem, len, err) != 0 || buf_add(&text, "", 1, err) != 0 ? -1 : 0;
	if (status == 0 &&
		((status = mbedtls_x509_crt_parse_der(root, root_der, root_len)) != 0 ||
			(status = mbedtls_x509_crt_parse(chain, text.data, text.len)) != 0))
		status = rpc_x509_fail(err, ERR_FORMAT, status, "certificate");
	if (status == 0 && (status = mbedtls_x509_crt_verify_with_profile(chain, root, NULL,
				    rpc_x509_profile(), NULL, &flags, NULL, NULL)) != 0)
		status = rpc_x509_fail(err, ERR_DENIED, status, "certificate");
	if (status == 0)
		status = rpc_x509_load_key(&key, key_path, err);
	if (status == 0)
		status = rpc_x509_check_pair(chain, &key, "certificate", err);
	mbedtls_pk_free(&key);
	buf_fini(&text);
	return status;
}

/* The manager whose intermediate this is. */
static int get_intermediate(struct rpc_identity *id, const mbedtls_x509_crt *crt, struct err *err)
{
	struct rpc_issuer issuer;

	if (rpc_x509_authority(&issuer, crt, err) != 0)
		return -1;
	if (issuer.manager[0] == 0 || !crt->MBEDTLS_PRIVATE(ca_istrue))
		return err_set(err, ERR_DENIED, "certificate: not a manager's intermediate");
	return rpc_identity_set(id, RPC_MANAGER, issuer.manager, issuer.host, err);
}

int rpc_cert_check(const void *root_der, size_t root_len, const void *pem, size_t len,
	const char *key_path, bool intermediate, struct rpc_identity *id, struct err *err)
{
	mbedtls_x509_crt root, chain;
	int status;

	mbedtls_x509_crt_init(&root);
	mbedtls_x509_crt_init(&chain);
	status = check_chain(&root, root_der, root_len, &chain, pem, len, key_path, err);
	if (status == 0)
		status = intermediate ? get_intermediate(id, &chain, err)
				      : rpc_x509_identity(id, &chain, err);
	mbedtls_x509_crt_free(&root);
	mbedtls_x509_crt_free(&chain);
	return status;
}

int rpc_key_fits(const char *key_path, const char *cert_path, struct err *err)
{
	mbedtls_pk_context key;
	mbedtls_x509_crt crt;
	int ret;

	mbedtls_pk_init(&key);
	mbedtls_x509_crt_init(&crt);
	ret = rpc_x509_load_key(&key, key_path, err);
	if (ret == 0)
		ret = rpc_x509_load_chain(&crt, cert_path, err);
	if (ret == 0)
		ret = rpc_x509_check_pair(&crt, &key, cert_path, NULL) == 0 ? 0 : 1;
	mbedtls_pk_free(&key);
	mbedtls_x509_crt_free(&crt);
	return ret;
}

bool rpc_cert_due(const struct rpc_cert_info *info, int64_t now)
{
	return info->not_before > now ||
	       info->not_after - now <= (int64_t)RPC_CERT_RENEW_DAYS * DAY_SEC;
}

int rpc_ca_der(const char *path, struct buf *der, uint8_t digest[RPC_DIGEST_LEN], struct err *err)
{
	mbedtls_x509_crt crt;
	int status;

	mbedtls_x509_crt_init(&crt);
	status = rpc_x509_load_chain(&crt, path, err);
	if (status == 0)
		status = buf_add(der, crt.raw.p, crt.raw.len, err);
	if (status == 0)
		hash_sha256(crt.raw.p, crt.raw.len, digest);
	mbedtls_x509_crt_free(&crt);
	return status;
}

int rpc_ca_pem(const void *der, size_t len, struct buf *pem, struct err *err)
{
	unsigned char text[4096];
	size_t text_len;
	int status = mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n",
		"-----END CERTIFICATE-----\n", der, len, text, sizeof text, &text_len);

	if (status != 0)
		return rpc_x509_fail(err, ERR_FORMAT, status, "certificate");
	return buf_add(pem, text, text_len - 1, err); /* without its NUL */
}

int rpc_host_new(char host[RPC_HOST_LEN + 1], struct err *err)
{
	uint8_t bytes[RPC_HOST_LEN / 2];

	if (seal_random(bytes, sizeof bytes, err) != 0)
		return -1;
	esc_hex(host, bytes, sizeof bytes);
	return 0;
}
