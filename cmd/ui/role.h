/*
 * Where the files of the fleet's roles lie: --config DIR (default /etc/fdump) and --state DIR
 * (default /var/lib/fdump), so that several can run side by side on one machine.
 *
 *   STATE/agent, STATE/store, STATE/manager   each 0700, of that role alone:
 *     key.pem, cert.pem    its private key and certificate
 *     ca.pem               the fleet's root
 *     deny                 who is refused (rpc/deny.h)
 *     managers             lines NAME HOST[:PORT]
 *     stores               lines NAME HOST[:PORT] UID PUBLIC, both in hex
 *     pins                 lines NAME UID PUBLIC: the store that answered by this name first
 *   ~/.config/fdump        the same for an operator
 */
#ifndef FDUMP_CMD_UI_ROLE_H
#define FDUMP_CMD_UI_ROLE_H

#include <limits.h>

#include "cmd/manager/uplink.h"
#include "cmd/store/store.h"

struct err;
struct rpc_times;

#define UI_CONFIG_DIR "/etc/fdump"
#define UI_STATE_DIR  "/var/lib/fdump"

struct ui_role {
	char config[PATH_MAX];
	char dir[PATH_MAX]; /* of the role */
	char key[PATH_MAX], cert[PATH_MAX], ca[PATH_MAX], deny[PATH_MAX], managers[PATH_MAX],
		stores[PATH_MAX];
};

/* config, state: as given, or NULL. role: "agent", "store", "manager". Looks at nothing. Returns 0,
 * or -1 with err set: ERR_LIMIT (a path is too long). */
int ui_role_set(struct ui_role *role, const char *config, const char *state, const char *name,
	struct err *err);
/* The same for a folder with an identity: --identity DIR, or an operator's. */
int ui_role_at(struct ui_role *role, const char *config, const char *dir, struct err *err);
/* Makes the role's folder (0700), and those above it (0755). Returns 0, or -1 with err set. */
int ui_role_make(const struct ui_role *role, struct err *err);
/* As root: gives what is in the role's folder to the owner of the folder, who is the service's
 * user where a package has made it. Returns 0, or -1 with err set. */
int ui_role_give(const struct ui_role *role, struct err *err);
/* The same for a directory that lies elsewhere and was made for this role's service: a store. */
int ui_role_give_dir(const struct ui_role *role, const char *dir, struct err *err);
/* The folder of the calling user's operator files, ~/.config/fdump. Returns 0, or -1 with err set.
 */
int ui_role_operator_dir(char dir[PATH_MAX], struct err *err);

/* The identity of --identity DIR. Returns 0, or -1 with err set: ERR_CONFIG (its files are not
 * there). */
int ui_role_given(struct ui_role *role, const char *config, const char *identity, struct err *err);

/* Which identity a command dials with: `identity` if given, else the user's operator certificate
 * if there is one, else, as root, the agent's. Returns 0; 1: there is no certificate, this machine
 * has joined no fleet; -1 with err set. */
int ui_role_find(struct ui_role *role, const char *config, const char *state, const char *identity,
	struct err *err);

/* The managers of the role's file, lines NAME HOST[:PORT]. Returns 0, or -1 with err set:
 * ERR_CONFIG (this machine has joined no fleet, or a line is malformed). */
int ui_role_managers(const struct ui_role *role,
	struct manager_uplink_peer peers[MANAGER_UPLINKS_MAX], size_t *count, struct err *err);

/* How services are reached with the role's identity. Both must stay as long as `net` is used. */
struct ui_net {
	struct store_net net;
	const struct ui_role *role;
	/* Stores that were refused because another one answers by their name. */
	char changed[STORES_MAX][NAME_LEN_MAX + 1];
	size_t changed_count;
};
void ui_net_set(struct ui_net *net, const struct ui_role *role);
/* Whether this store, NAME[:PORT], is one of .changed; it is then taken out of them. */
bool ui_net_changed(struct ui_net *net, const char *store);

/* The first line of a file of lines NAME HOST[:PORT] ... with this name: its fields from the second
 * on, in `fields`, of which `text` (at least 1,024 bytes) has the bytes. Returns how many, at most
 * 4, or 0: there is none. */
size_t ui_role_line(const char *path, const char *name, char text[1024], char *fields[4]);

/* Forgets which store answers by this name, in `pins` and in `stores`: the next one is accepted.
 * Returns 0; 1: none was known; -1 with err set. */
int ui_role_forget_store(const struct ui_role *role, const char *name, struct err *err);

/* Fills host and port from HOST[:PORT] or [HOST6]:PORT. Returns 0, or -1 with err set: ERR_USAGE.
 */
int ui_address(struct store_address *address, const char *text, const char *port, struct err *err);

/* Deadlines of connections, as FDUMP_TEST_TIMES="PING,DEAD,PATIENCE[,REDIAL]" (milliseconds) has
 * them for tests; NULL: the usual ones. *patience_ms is changed with it, if it is not NULL. */
const struct rpc_times *ui_test_times(int64_t *patience_ms);

#endif
