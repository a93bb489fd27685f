/*
 * Tokens for enrolment: one-time, short-lived, read from a file or standard
 * input, never from an argument.
 *
 * A token names the manager to ask, holds 256 random bits that it must show,
 * and the fingerprint of the managers' CA, so that the one who enrols trusts
 * nobody else either. The manager keeps only the secret's hash, with what the
 * token is for and until when. Pure but for the random bits.
 *
 *	fdump-token:1:MANAGER:SECRET:FINGERPRINT      both 64 hex digits
 */
#ifndef FDUMP_RPC_TOKEN_H
#define FDUMP_RPC_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "lib/name.h"
#include "rpc/ca.h"

struct err;

#define RPC_SECRET_LEN 32

struct rpc_token {
	char manager[NAME_LEN_MAX + 1];
	uint8_t secret[RPC_SECRET_LEN];
	uint8_t fingerprint[RPC_DIGEST_LEN]; /* of the CA's certificate */
};

/* Longest text with its NUL. */
#define RPC_TOKEN_MAX 256

/* A new one with a random secret. Returns 0 or -1. */
int rpc_token_new(struct rpc_token *token, const char *manager,
	const uint8_t fingerprint[RPC_DIGEST_LEN], struct err *err);
/* Writes the text, without a newline. */
void rpc_token_text(char text[RPC_TOKEN_MAX], const struct rpc_token *token);
/* Reads the text; white space at its end is passed by. Returns 0, or -1 with
 * err set to ERR_FORMAT; the message never has any of the text in it. */
int rpc_token_parse(struct rpc_token *token, const char *text, size_t len, struct err *err);
/* What the manager keeps, and finds it by: SHA-256 of the secret. 0 or -1. */
int rpc_token_hash(
	uint8_t hash[RPC_DIGEST_LEN], const uint8_t secret[RPC_SECRET_LEN], struct err *err);

#endif
