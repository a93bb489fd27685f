/*
 * How an operator's command reaches a manager: who it is, where managers are, and calls.
 *
 *   ui_fleet_open -> ui_fleet_call, ui_fleet_rows ... -> ui_fleet_close
 *
 * The identity is the one of --identity DIR, else the user's own (~/.config/fdump), else, for who
 * may read it, the local operator's of a manager on this machine. The managers of its file are
 * tried in order, until one answers. That one is also asked for the managers and stores of the
 * fleet, which are kept in the identity's files (cmd/ui/role.h), so that those that joined later
 * can be reached. Lines are only added there, and addresses changed. Nothing is trusted because of
 * such a line: who answers has to show a certificate.
 */
#ifndef FDUMP_CMD_UI_FLEET_H
#define FDUMP_CMD_UI_FLEET_H

#include "cmd/manager/proto.h"
#include "cmd/manager/row.h"
#include "cmd/ui/result.h"
#include "cmd/ui/role.h"

struct err;
struct rpc_client;
struct ui_options;

struct ui_fleet {
	struct ui_role role;
	struct manager_peer managers[MANAGER_PEERS_MAX];
	size_t count, at; /* managers; the one that is asked */
	struct rpc_client *client;
	bool local;          /* the operator of one manager, which alone accepts it: it is `at` */
	bool learned;        /* what that manager tells of the fleet; cleared by who asks several */
	bool only;           /* no other manager is asked in its place */
	int64_t patience_ms; /* set by who waits for less than the longest deadline of a method */
	/* What a listing said. */
	int64_t now;
	char manager[NAME_LEN_MAX + 1];
};

/* Opens nothing yet but files, which the command's options name. Returns 0, or -1 with err set:
 * there is no identity here. */
int ui_fleet_open(struct ui_fleet *fleet, const struct ui_options *o, struct err *err);
void ui_fleet_close(struct ui_fleet *fleet);

/* From now on asks this manager, and no other one in its place. who: names it in the message.
 * Returns 0, or -1 with err set: the identity is good for another manager only. */
int ui_fleet_only(struct ui_fleet *fleet, size_t manager, const char *who, struct err *err);

/* The lines NAME HOST[:PORT] of a file. Returns how many; one that can't be read has none. */
size_t ui_fleet_managers(const char *path, struct manager_peer managers[MANAGER_PEERS_MAX]);

/* Asks a method. params: of its CBOR map; NULL: it has none. reply and blob are the caller's,
 * initialised; blob may be NULL: there is none. Returns 0, or -1 with err set. */
int ui_fleet_call(struct ui_fleet *fleet, uint16_t method, const struct ui_field *params,
	struct buf *reply, struct buf *blob, struct err *err);

/* Asks for rows, and calls `each` for one after the other; it returns 0, or -1 with err set. */
typedef int ui_fleet_row(void *ctx, const void *row, struct err *err);
int ui_fleet_rows(struct ui_fleet *fleet, uint16_t method, const struct ui_field *params,
	const struct cbormap_field *fields, size_t row_size, ui_fleet_row *each, void *ctx,
	struct err *err);

/* A row as JSON: times are "KEY" in RFC 3339 and "KEY_epoch", bytes are hex. Returns 0, or -1 with
 * err set. */
int ui_fleet_json(const char *type, const char *id, const struct cbormap_field *fields,
	const void *row, struct err *err);
/* The same, and which manager says so, appended to a buffer. */
int ui_fleet_json_put(const char *type, const char *id, const char *manager,
	const struct cbormap_field *fields, const void *row, struct buf *line, struct err *err);

/* "2026-11-28 14:05 CET", in the machine's zone; "-" for 0. */
#define UI_FLEET_TIME 32
const char *ui_fleet_time(char text[UI_FLEET_TIME], int64_t time);

#endif
