/*
 * The paths of the files that agents, stores, managers and operators have. --config DIR (default
 * /etc/fdump) and --state DIR (default /var/lib/fdump) change them, so that several can run side by
 * side on one machine.
 *
 *   STATE/agent, STATE/store, STATE/manager   each 0700, for that role only:
 *     key.pem, cert.pem    its private key and certificate
 *     ca.pem               the fleet's root
 *     deny                 who is refused (rpc/deny.h)
 *     managers             lines NAME HOST[:PORT]
 *     stores               lines NAME HOST[:PORT] UID PUBLIC, both in hex
 *     pins                 lines NAME UID PUBLIC: the store that first answered under this name
 *   ~/.config/fdump        the same for an operator
 */
#ifndef FDUMP_CMD_UI_ROLE_H
#define FDUMP_CMD_UI_ROLE_H

#include <limits.h>
#include <stdio.h>
#include <sys/types.h>

#include "cmd/manager/uplink.h"
#include "cmd/store/store.h"
#include "rpc/tls.h"

struct buf;
struct err;
struct rpc_times;

#define UI_CONFIG_DIR "/etc/fdump"
#define UI_STATE_DIR  "/var/lib/fdump"

struct ui_role {
	char config[PATH_MAX];
	char dir[PATH_MAX]; /* the role's folder */
	char key[PATH_MAX], cert[PATH_MAX], ca[PATH_MAX], deny[PATH_MAX], managers[PATH_MAX],
		stores[PATH_MAX];
};

/* Sets `to` to DIR/NAME. Returns 0, or -1 with err set: ERR_LIMIT (it is too long). */
int ui_path(char to[PATH_MAX], const char *dir, const char *name, struct err *err);

/* Sets the paths of a role: name is "agent", "store", "manager" or a folder below one of these.
 * config, state: as given, or NULL. Does not access the files. Returns 0, or -1 with err set:
 * ERR_LIMIT (a path is too long), ERR_USAGE (a path is empty). */
int ui_role_set(struct ui_role *role, const char *config, const char *state, const char *name,
	struct err *err);
/* The same for any folder with an identity: that of --identity DIR, or an operator's. */
int ui_role_at(struct ui_role *role, const char *config, const char *dir, struct err *err);
/* Returns in dir the folder of the calling user's operator files, ~/.config/fdump. Returns 0, or -1
 * with err set. */
int ui_role_operator_dir(char dir[PATH_MAX], struct err *err);

/* Sets the paths for --identity DIR. Returns 0, or -1 with err set: ERR_CONFIG (its files are
 * missing), or as ui_role_at. */
int ui_role_given(struct ui_role *role, const char *config, const char *identity, struct err *err);

/* Finds the identity that a command connects with: `identity` if it is given, else the user's
 * operator certificate if there is one, else, if the user may read it, this machine's for the role
 * `name`. Returns 0; 1 if there is no certificate; -1 with err set. */
int ui_role_find(struct ui_role *role, const char *config, const char *state, const char *name,
	const char *identity, struct err *err);

/* Returns the options for mutual TLS with the role's identity; the strings are the role's. deny:
 * who is refused, or NULL. */
struct rpc_tls_opts ui_role_tls(const struct ui_role *role, const struct rpc_deny *deny);

/* Reads the managers in the role's file, lines NAME HOST[:PORT]. Returns 0, or -1 with err set:
 * ERR_CONFIG (this machine has joined no fleet, or a line is malformed), ERR_USAGE (an address is
 * malformed). */
int ui_role_managers(const struct ui_role *role,
	struct manager_uplink_peer peers[MANAGER_UPLINKS_MAX], size_t *count, struct err *err);

/* How services are reached with the role's identity. ui_net_set fills it in; both structs must stay
 * in place as long as `net` is used. */
struct ui_net {
	struct store_net net;
	const struct ui_role *role;
	/* Stores that were refused because another store answers under their name. */
	char changed[STORES_MAX][NAME_LEN_MAX + 1];
	size_t changed_count;
};
void ui_net_set(struct ui_net *net, const struct ui_role *role);
/* Whether this store, NAME[:PORT], is in .changed; if so, removes it there. Any thread may call
 * it. */
bool ui_net_changed(struct ui_net *net, const char *store);

/* Reads the next line that is not empty or a comment, and splits it into words; their bytes are in
 * `text`. Returns how many, at most UI_ROLE_WORDS; 0 at the end. */
#define UI_ROLE_WORDS 5
size_t ui_role_words(FILE *file, char text[1024], char *words[UI_ROLE_WORDS]);

/* Rewrites a file, which need not exist. edit: called for each line, and for NULL at the end;
 * appends what is to be there instead. Returns 0; 1 if it has changed something; -1 with err set.
 * ui_role_edit returns 0; 1 if nothing has changed; -1 with err set. */
typedef int ui_role_edit_line(void *ctx, const char *line, struct buf *to, struct err *err);
int ui_role_edit(
	const char *path, mode_t mode, ui_role_edit_line *edit, void *ctx, struct err *err);

/* Forgets, in `pins` and in `stores`, which store answers under this name: the next one is
 * accepted. Returns 0; 1 if none was known; -1 with err set. */
int ui_role_forget_store(const struct ui_role *role, const char *name, struct err *err);

/* Parses HOST[:PORT] or [HOST6]:PORT; `port` is the default. Returns 0, or -1 with err set:
 * ERR_USAGE. */
int ui_address(struct store_address *address, const char *text, const char *port, struct err *err);

/* For tests: the deadlines of connections, from FDUMP_TEST_TIMES="PING,DEAD,PATIENCE[,REDIAL]" in
 * milliseconds, or NULL, the usual ones, if it is not set. If it is set and patience_ms is not
 * NULL, *patience_ms is changed too. */
const struct rpc_times *ui_test_times(int64_t *patience_ms);

#endif
