/*
 * Tokens for enrolment: good once and for a short time; read from the terminal
 * without echo or from standard input, never from an argument.
 *
 * A token says whom to ask and whom to trust (a manager, where it can be
 * reached, the fingerprint of the root), what one becomes (role and name), to
 * whom backups are to be sealed (the digest of the fleet's public keys), and
 * has a secret of 256 random bits.
 *
 * The secret itself is never shown. Two values are derived from it: the ticket,
 * which who enrols shows, and of which the manager keeps only the hash; and a
 * proof over the certificate request, which only who has the token can make or
 * check. Of agents and stores the manager makes the tokens. Tokens of managers
 * and operators are made by who holds the root's key, who gives the manager no
 * more than the ticket's hash: so the manager that passes on their request
 * can't put its own key in the place of theirs (rpc/sponsor).
 *
 * As text: "fdump-token:2:" and the base64url (RFC 4648, 5, without padding) of
 * the CBOR map of rpc/PROTOCOL.md and a checksum, at most 1 KiB in all, so that a
 * mistyped one is refused before it is shown to anyone. Pure but for the random
 * bits; hash_crypto_init must have been called.
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
#define RPC_TOKEN_SEC     3600 /* so long it is good, if nothing else is said */
#define RPC_ADDRESSES_MAX 8    /* of one manager */
#define RPC_HOST_PORT_MAX 261  /* bytes of "host:port" */
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

/* Longest text with its NUL. */
#define RPC_TOKEN_MAX 1025

/* Puts a random secret into a token of which all else is set. Returns 0 or -1. */
int rpc_token_secret(struct rpc_token *token, struct err *err);
/* Writes the text, without a newline. Returns 0, or -1 with err set: ERR_USAGE
 * (a name, the role, an address), ERR_LIMIT (too long: fewer addresses). */
int rpc_token_text(char text[RPC_TOKEN_MAX], const struct rpc_token *token, struct err *err);
/* Reads the text; white space around it is ignored. Returns 0, or -1 with err
 * set: ERR_FORMAT (mistyped, or not all of it), ERR_UNSUPPORTED (of another version); the message
 * never has any of the text in it. */
int rpc_token_parse(struct rpc_token *token, const char *text, size_t len, struct err *err);

/* What who enrols shows. */
int rpc_token_ticket(
	uint8_t ticket[RPC_DIGEST_LEN], const struct rpc_token *token, struct err *err);
/* What the manager keeps of it, and finds it by: its SHA-256. */
void rpc_ticket_hash(uint8_t hash[RPC_DIGEST_LEN], const uint8_t ticket[RPC_DIGEST_LEN]);
/* Over a certificate request (DER). */
int rpc_token_proof(uint8_t proof[RPC_DIGEST_LEN], const struct rpc_token *token, const void *csr,
	size_t len, struct err *err);

/* What a manager that keeps `until` (when it ends) and `used` (when it was used; 0: not yet), in
 * unix seconds, says of a token. Returns 0: good; or -1 with err set to ERR_DENIED, for the log
 * and the caller. known: false if there is none with this hash. */
int rpc_token_check(bool known, int64_t until, int64_t used, int64_t now, struct err *err);

/* SHA-256 over public key files: sorted by their bytes (a prefix first), for each its length as
 * u32, little-endian, then its bytes. The order of files[] changes. */
int rpc_recipients_digest(
	uint8_t digest[RPC_DIGEST_LEN], struct cbormap_blob *files, size_t count, struct err *err);

/* An address in a map. */
extern const struct cbormap_field rpc_address_field;

/* Takes "host", "host:port", "[v6]" or "[v6]:port" apart. Without a port it is
 * `port_default`. Returns 0, or -1 with err set to ERR_USAGE. */
int rpc_address_split(const char *text, char host[RPC_HOST_PORT_MAX + 1], char port[8],
	const char *port_default, struct err *err);

#endif
