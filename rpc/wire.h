/*
 * The wire format: frame headers, the payloads that the connection itself
 * reads, and every limit. Pure: bytes in, structs out; no descriptors, clocks
 * or loops. rpc/PROTOCOL.md is the normative text.
 */
#ifndef FDUMP_RPC_WIRE_H
#define FDUMP_RPC_WIRE_H

#include <stddef.h>
#include <stdint.h>

struct err;

/* The protocol versions supported: the newest and, if there is one, the one
 * before. Version 1 is the first. */
#define RPC_VERSION     1
#define RPC_VERSION_MIN 1

/* A frame is a header and a payload, and fits in one TLS record of 16 KiB. */
#define RPC_HEADER_LEN  20
#define RPC_PAYLOAD_MAX (16384 - RPC_HEADER_LEN)

#define RPC_HELLO_MAX  256 /* payload of HELLO */
#define RPC_STATUS_MAX 640 /* payload of an error: in REPLY, BLOB, BYE */
#define RPC_TEXT_MAX   480 /* message in an error, in bytes */

/* Limits of a connection, for each side; exceeding one ends it. */
#define RPC_CALLS_MAX  256           /* requests open at once */
#define RPC_BLOBS_MAX  32            /* request blobs open at once that began with credit */
#define RPC_WINDOW     (1024 * 1024) /* credit a blob begins with, unless HELLO says otherwise */
#define RPC_WINDOW_MAX (8 * 1024 * 1024) /* most credit a blob may have */
#define RPC_OUT_MAX    (6 * 1024 * 1024) /* bytes waiting to be written */

enum rpc_kind {
	RPC_HELLO = 1,       /* first frame of each side: versions, features */
	RPC_REQUEST = 2,     /* number of a method, parameters */
	RPC_REPLY = 3,       /* result, or an error */
	RPC_NOTIFY = 4,      /* a request without a reply */
	RPC_BLOB = 5,        /* a piece of a request's or reply's blob */
	RPC_CANCEL = 6,      /* the requester no longer wants the call */
	RPC_WINDOW_MORE = 7, /* u32: that many more blob bytes may be sent */
	RPC_PING = 8,
	RPC_PONG = 9,
	RPC_BYE = 10, /* no new requests from this side; with an error: the reason */
	RPC_KINDS
};

/* Flags. */
#define RPC_MORE     1u /* REQUEST, REPLY: a blob follows */
#define RPC_LAST     2u /* BLOB: the last frame; the blob is complete */
#define RPC_ERROR    4u /* REPLY, BLOB, BYE: the payload is an error */
#define RPC_RESPONSE 8u /* the id is from the receiver's numbering */

struct rpc_header {
	uint8_t version;
	uint8_t kind;
	uint8_t flags;
	uint16_t method; /* REQUEST, NOTIFY; else 0 */
	uint32_t len;    /* of the payload, in bytes */
	uint64_t id;
};

/* Writes RPC_HEADER_LEN bytes. */
void rpc_header_put(uint8_t *to, const struct rpc_header *h);

/* Reads RPC_HEADER_LEN bytes and checks each field against what its kind
 * allows: flags, id, method, length, zero bytes. version is the one agreed on;
 * HELLO and BYE always have version 1. Returns 0, or -1 with err set: the
 * connection can't continue. Never reads bytes after the header. */
int rpc_header_get(struct rpc_header *h, const uint8_t *from, unsigned version, struct err *err);

/* A HELLO's payload. */
struct rpc_hello {
	unsigned version_min, version_max; /* 1..65535 */
	uint64_t features;                 /* none is defined yet: send 0, ignore */
	uint32_t credit; /* bytes each blob to this side begins with, up to RPC_WINDOW_MAX */
};

/* Writes a HELLO's payload to RPC_HELLO_MAX bytes; returns its length. */
size_t rpc_hello_put(uint8_t *to, const struct rpc_hello *hello);
/* Reads a HELLO's payload. Without a credit it is RPC_WINDOW. Returns 0, or -1
 * with err set: ERR_LIMIT for a number outside its limits, ERR_UNSUPPORTED for
 * an unknown key that must be understood, else ERR_FORMAT. */
int rpc_hello_get(struct rpc_hello *hello, const uint8_t *bytes, size_t len, struct err *err);
/* The highest version that both support; 0 if there is none. */
unsigned rpc_hello_agree(const struct rpc_hello *a, const struct rpc_hello *b);

/* Writes an error's payload to RPC_STATUS_MAX bytes; returns its length. A
 * message that is too long is cut after a whole character. */
size_t rpc_status_put(uint8_t *to, const struct err *status);
/* Reads an error sent by the peer into *status: an unknown code becomes
 * ERR_FAILED, the message is escaped (lib/esc) and cut. Returns 0, or -1 with
 * err set to ERR_FORMAT. status and err may be the same. */
int rpc_status_get(struct err *status, const uint8_t *bytes, size_t len, struct err *err);

#endif
