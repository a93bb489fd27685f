/* Tokens as text and back. */
#include "rpc/token.h"

#include <stdio.h>
#include <string.h>

#include "rpc/x509.h"

#define PREFIX "fdump-token:1:"

int rpc_token_new(struct rpc_token *token, const char *manager,
	const uint8_t fingerprint[RPC_DIGEST_LEN], struct err *err)
{
	if (!name_ok(manager, strlen(manager)))
		return err_set(err, ERR_USAGE, "token: '%s' is no name of a manager", manager);
	strcpy(token->manager, manager);
	memcpy(token->fingerprint, fingerprint, RPC_DIGEST_LEN);
	if (rpc_x509_random(NULL, token->secret, RPC_SECRET_LEN) != 0)
		return err_set(err, ERR_FAILED, "the system gives no random numbers");
	return 0;
}

static char *put_hex(char *to, const uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		to += sprintf(to, "%02x", bytes[i]);
	return to;
}

void rpc_token_text(char text[RPC_TOKEN_MAX], const struct rpc_token *token)
{
	char *at = text + sprintf(text, PREFIX "%s:", token->manager);

	at = put_hex(at, token->secret, RPC_SECRET_LEN);
	*at++ = ':';
	put_hex(at, token->fingerprint, RPC_DIGEST_LEN);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int get_hex(uint8_t *to, size_t len, const char *text)
{
	size_t i;

	for (i = 0; i < len; i++) {
		int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		to[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

int rpc_token_parse(struct rpc_token *token, const char *text, size_t len, struct err *err)
{
	const char *name = text + strlen(PREFIX), *colon, *end;

	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL && text[len - 1] != 0)
		len--;
	end = text + len;
	if (len <= strlen(PREFIX) || memcmp(text, PREFIX, strlen(PREFIX)) != 0)
		goto bad;
	colon = memchr(name, ':', (size_t)(end - name));
	if (colon == NULL || !name_ok(name, (size_t)(colon - name)) || end - colon != 130 ||
		colon[65] != ':' || get_hex(token->secret, RPC_SECRET_LEN, colon + 1) != 0 ||
		get_hex(token->fingerprint, RPC_DIGEST_LEN, colon + 66) != 0)
		goto bad;
	memcpy(token->manager, name, (size_t)(colon - name));
	token->manager[colon - name] = 0;
	return 0;
bad:
	return err_set(err, ERR_FORMAT, "token: this is none, or not the whole of it");
}

int rpc_token_hash(
	uint8_t hash[RPC_DIGEST_LEN], const uint8_t secret[RPC_SECRET_LEN], struct err *err)
{
	return rpc_digest(hash, secret, RPC_SECRET_LEN, err);
}
