/*
 * Connects an operator's command to a manager of the fleet, and makes calls.
 *
 *   ui_fleet_open -> ui_fleet_call, ui_fleet_rows ... -> ui_fleet_close
 *
 * The identity is that of --identity DIR, else the user's own (~/.config/fdump), else, if the user
 * may read it, the local operator's of a manager on this machine. The managers in its file are
 * tried in order until one answers. That manager is also asked for all managers and stores of the
 * fleet. They are saved in the identity's files (cmd/ui/role.h), so that later commands can reach
 * machines that joined in the meantime. Lines are only added there, and addresses changed. Such a
 * line establishes no trust: every peer has to present a certificate.
 */
#ifndef FDUMP_CMD_UI_FLEET_H
#define FDUMP_CMD_UI_FLEET_H

#include "cmd/manager/proto.h"
#include "cmd/ui/result.h"
#include "cmd/ui/role.h"

struct err;
struct rpc_client;
struct ui_options;

struct ui_fleet {
	struct ui_role role;
	struct manager_peer managers[MANAGER_PEERS_MAX];
	size_t count, at; /* managers; index of the one that is asked */
	struct rpc_client *client;
	bool local;          /* a local operator, which only the manager `at` accepts */
	bool learned;        /* it was asked for the fleet; callers that ask several clear this */
	bool only;           /* don't try another manager */
	int64_t patience_ms; /* set by callers that wait for less than the longest deadline of a
				method */
	/* From the last listing: the manager's time and its name. */
	int64_t now;
	char manager[NAME_LEN_MAX + 1];
};

/* Finds the identity and its managers; connects to nothing yet. Returns 0, or -1 with err set:
 * ERR_DENIED (there is no identity here), ERR_CONFIG (its files name no manager), or another error
 * of ui_role_find. */
int ui_fleet_open(struct ui_fleet *fleet, const struct ui_options *o, struct err *err);
void ui_fleet_close(struct ui_fleet *fleet);

/* From now on asks this manager (an index of .managers), and no other. who: its name for messages.
 * Returns 0, or -1 with err set: the identity is good for another manager only. */
int ui_fleet_only(struct ui_fleet *fleet, size_t manager, const char *who, struct err *err);

/* Calls a method. params: the members of its CBOR map, or NULL. reply and blob are initialised by
 * the caller, who owns them; NULL if the method has none. Returns 0, or -1 with err set. */
int ui_fleet_call(struct ui_fleet *fleet, uint16_t method, const struct ui_field *params,
	struct buf *reply, struct buf *blob, struct err *err);

/* Calls a method that lists rows, and calls `each` for every row; the row is borrowed for the call.
 * Returns 0, or -1 with err set, which `each` may have done. */
typedef int ui_fleet_row(void *ctx, const void *row, struct err *err);
int ui_fleet_rows(struct ui_fleet *fleet, uint16_t method, const struct ui_field *params,
	const struct cbormap_field *fields, size_t row_size, ui_fleet_row *each, void *ctx,
	struct err *err);

/* Prints a row as JSON: times are "KEY" in RFC 3339 and "KEY_epoch", bytes are hex. Returns 0, or
 * -1 with err set. */
int ui_fleet_json(const char *type, const char *id, const struct cbormap_field *fields,
	const void *row, struct err *err);
/* The same with the name of the manager, appended to a buffer. */
int ui_fleet_json_put(const char *type, const char *id, const char *manager,
	const struct cbormap_field *fields, const void *row, struct buf *line, struct err *err);

/* Formats a time as "2026-11-28 14:05 CET", in the machine's zone; "-" for 0. Returns text. */
#define UI_FLEET_TIME 32
const char *ui_fleet_time(char text[UI_FLEET_TIME], int64_t time);

#endif
