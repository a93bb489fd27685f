/*
 * Tokens for enrolment, valid once and for a short time. They are read from the
 * terminal without echo or from standard input, never from an argument.
 *
 * A token says whom to ask and trust (a manager, its addresses, the fingerprint
 * of the root), what the machine becomes (role and name), and to whom backups
 * are sealed (the digest of the fleet's public keys). It has a secret of 256
 * random bits.
 *
 * The secret itself is never sent. Two values are derived from it: the ticket,
 * which the client sends and of which the manager keeps only the hash; and a
 * proof over the certificate request, which only those who have the token can
 * make or check. A manager makes the tokens for agents and stores. Tokens for
 * managers and operators are made by the holder of the root's key, who gives
 * the manager only the ticket's hash. So the manager that relays their request
 * can't replace their key by its own (rpc/sponsor).
 *
 * As text: "fdump-token:2:" and the base64url (RFC 4648, 5, without padding) of
 * the CBOR map in rpc/PROTOCOL.md and a checksum, at most 1 KiB in all. The
 * checksum rejects a mistyped token before it is sent to anyone. Pure except
 * for the random bits. Call hash_crypto_init first.
 */
#ifndef FDUMP_RPC_TOKEN_H
#define FDUMP_RPC_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cbormap.h"
#include "rpc/ca.h"
#include "rpc/identity.h"

struct err;

#define RPC_SECRET_LEN    32
#define RPC_TOKEN_SEC     3600 /* default validity */
#define RPC_ADDRESSES_MAX 8    /* for one manager */
#define RPC_HOST_PORT_MAX 261  /* bytes in "host:port" */
#define RPC_ENROLL_PORT   "7422"

struct rpc_token {
	char manager[NAME_LEN_MAX + 1];
	char addresses[RPC_ADDRESSES_MAX][RPC_HOST_PORT_MAX + 1]; /* "host[:port]", "[v6]:port" */
	size_t address_count;
	enum rpc_role role;
	char name[NAME_LEN_MAX + 1];
	uint8_t secret[RPC_SECRET_LEN];
	uint8_t fingerprint[RPC_DIGEST_LEN]; /* of the root's certificate */
	uint8_t recipients[RPC_DIGEST_LEN];  /* rpc_recipients_digest */
};

/* The longest text, with its NUL. */
#define RPC_TOKEN_MAX 1025

/* Sets the secret of a token to random bits. Returns 0, or -1 with err set. */
int rpc_token_secret(struct rpc_token *token, struct err *err);
/* Writes the text, without a newline. Returns 0, or -1 with err set: ERR_USAGE
 * (a name, the role, an address), ERR_LIMIT (too long: use fewer addresses). */
int rpc_token_text(char text[RPC_TOKEN_MAX], const struct rpc_token *token, struct err *err);
/* Reads the text; white space around it is ignored. Returns 0, or -1 with err
 * set: ERR_FORMAT (mistyped or incomplete), ERR_UNSUPPORTED (another version).
 * The message never contains any of the text. */
int rpc_token_parse(struct rpc_token *token, const char *text, size_t len, struct err *err);

/* Derives the ticket that the client shows. Returns 0, or -1 with err set. */
int rpc_token_ticket(
	uint8_t ticket[RPC_DIGEST_LEN], const struct rpc_token *token, struct err *err);
/* The hash of a ticket, which the manager keeps and finds the token by: its
 * SHA-256. */
void rpc_ticket_hash(uint8_t hash[RPC_DIGEST_LEN], const uint8_t ticket[RPC_DIGEST_LEN]);
/* Derives the proof over a certificate request (DER). Returns 0, or -1 with err
 * set. */
int rpc_token_proof(uint8_t proof[RPC_DIGEST_LEN], const struct rpc_token *token, const void *csr,
	size_t len, struct err *err);

/* Checks a token on a manager. known: false if it has no token with this hash;
 * until: when the token expires; used: when it was used, or 0; all in Unix
 * seconds. Returns 0 if it is valid, or -1 with err set to ERR_DENIED, for the
 * log and the client. */
int rpc_token_check(bool known, int64_t until, int64_t used, int64_t now, struct err *err);

/* SHA-256 over public key files, sorted by their bytes (a prefix first): for
 * each its length as u32, little-endian, then its bytes. Reorders files[].
 * Returns 0, or -1 with err set. */
int rpc_recipients_digest(
	uint8_t digest[RPC_DIGEST_LEN], struct cbormap_blob *files, size_t count, struct err *err);

/* An address, as the field of a list in a map. */
extern const struct cbormap_field rpc_address_field;

/* Splits "host", "host:port", "[v6]" or "[v6]:port". Without a port, port is
 * `port_default`. Returns 0, or -1 with err set to ERR_USAGE. */
int rpc_address_split(const char *text, char host[RPC_HOST_PORT_MAX + 1], char port[8],
	const char *port_default, struct err *err);

#endif
