#include "cmd/ui/role.h"

#include <errno.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/store/proto.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/file.h"
#include "lib/name.h"

#define CONNECT_MS 30000 /* until a store's first connection */
#define LINES_MAX  (1u << 18)

/* --- paths ----------------------------------------------------------------- */

int ui_path(char to[PATH_MAX], const char *dir, const char *name, struct err *err)
{
	if ((size_t)snprintf(to, PATH_MAX, "%s/%s", dir, name) < PATH_MAX)
		return 0;
	return err_set(err, ERR_LIMIT, "%.64s...: the path is too long", dir);
}

int ui_role_at(struct ui_role *r, const char *config, const char *dir, struct err *err)
{
	if (dir[0] == 0)
		return err_set(err, ERR_USAGE, "'': empty path");
	if ((size_t)snprintf(r->dir, sizeof r->dir, "%s", dir) >= sizeof r->dir ||
		(size_t)snprintf(r->config, sizeof r->config, "%s",
			config != NULL ? config : UI_CONFIG_DIR) >= sizeof r->config)
		return err_set(err, ERR_LIMIT, "%.64s...: the path is too long", dir);
	return ui_path(r->key, dir, "key.pem", err) != 0 ||
			       ui_path(r->cert, dir, "cert.pem", err) != 0 ||
			       ui_path(r->ca, dir, "ca.pem", err) != 0 ||
			       ui_path(r->deny, dir, "deny", err) != 0 ||
			       ui_path(r->managers, dir, "managers", err) != 0 ||
			       ui_path(r->stores, dir, "stores", err) != 0
		       ? -1
		       : 0;
}

int ui_role_set(
	struct ui_role *r, const char *config, const char *state, const char *name, struct err *err)
{
	char dir[PATH_MAX];

	if (state != NULL && state[0] == 0)
		return err_set(err, ERR_USAGE, "'': empty path");
	if (ui_path(dir, state != NULL ? state : UI_STATE_DIR, name, err) != 0)
		return -1;
	return ui_role_at(r, config, dir, err);
}

int ui_role_operator_dir(char dir[PATH_MAX], struct err *err)
{
	const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	const struct passwd *user;

	if (base != NULL && base[0] == '/')
		return ui_path(dir, base, "fdump", err);
	if (home == NULL || home[0] != '/') {
		user = getpwuid(getuid());
		home = user != NULL ? user->pw_dir : NULL;
	}
	return home != NULL ? ui_path(dir, home, ".config/fdump", err)
			    : err_set(err, ERR_CONFIG, "no home folder: HOME is not set");
}

int ui_role_given(struct ui_role *r, const char *config, const char *identity, struct err *err)
{
	const char *files[] = {r->cert, r->key, r->ca};
	size_t i;

	if (ui_role_at(r, config, identity, err) != 0)
		return -1;
	for (i = 0; i < sizeof files / sizeof *files; i++)
		if (access(files[i], F_OK) != 0)
			return err_set(err, ERR_CONFIG,
				"--identity: %s: %s; expected a folder with cert.pem, key.pem and "
				"ca.pem, as 'fdump join' makes it with a token of 'fdump token "
				"operator NAME' (without --identity: ~/.config/fdump)",
				files[i], strerror(errno));
	return 0;
}

int ui_role_find(struct ui_role *r, const char *config, const char *state, const char *name,
	const char *identity, struct err *err)
{
	char dir[PATH_MAX];

	if (identity != NULL)
		return ui_role_given(r, config, identity, err);
	if (ui_role_operator_dir(dir, NULL) == 0) {
		if (ui_role_at(r, config, dir, err) != 0)
			return -1;
		if (access(r->cert, F_OK) == 0)
			return 0;
	}
	if (ui_role_set(r, config, state, name, err) != 0)
		return -1;
	return access(r->cert, F_OK) == 0 ? 0 : 1;
}

struct rpc_tls_opts ui_role_tls(const struct ui_role *r, const struct rpc_deny *deny)
{
	return (struct rpc_tls_opts){
		.kind = RPC_TLS_MUTUAL, .cert = r->cert, .key = r->key, .ca = r->ca, .deny = deny};
}

/* --- files of lines -------------------------------------------------------- */

size_t ui_role_words(FILE *file, char text[1024], char *words[UI_ROLE_WORDS])
{
	size_t n = 0;
	char *save;

	while (n == 0 && fgets(text, 1024, file) != NULL) {
		words[0] = strtok_r(text, " \t\n", &save);
		n = words[0] != NULL && words[0][0] != '#';
	}
	while (n > 0 && n < UI_ROLE_WORDS && (words[n] = strtok_r(NULL, " \t\n", &save)) != NULL)
		n++;
	return n;
}

/* Finds the first line that begins with a name. Returns as ui_role_words. */
static size_t find_line(
	const char *path, const char *name, char text[1024], char *words[UI_ROLE_WORDS])
{
	FILE *file = fopen(path, "re");
	size_t n = 0;

	while (file != NULL && (n = ui_role_words(file, text, words)) > 0 &&
		strcmp(words[0], name) != 0)
		continue;
	if (file != NULL)
		fclose(file);
	return n;
}

int ui_role_edit(const char *path, mode_t mode, ui_role_edit_line *edit, void *ctx, struct err *err)
{
	struct buf text, edited;
	struct err why = {0};
	char *rest, *line;
	int ret = 0, changed = 0;

	buf_init(&text, LINES_MAX);
	buf_init(&edited, 2 * LINES_MAX);
	if (file_read_buf(path, &text, NULL, &why) != 0 && why.code != ERR_NOTFOUND)
		ret = err_set(err, why.code, "%s", why.message);
	for (rest = (char *)text.data; ret >= 0 && (line = strsep(&rest, "\n")) != NULL;) {
		if (*line != 0 || rest != NULL) /* else the end of the last line */
			ret = edit(ctx, line, &edited, err);
		changed |= ret;
	}
	if (ret >= 0)
		ret = edit(ctx, NULL, &edited, err);
	if (ret >= 0)
		ret = changed | ret ? file_write_owned(path, edited.data, edited.len, mode, err)
				    : 1;
	buf_fini(&text);
	buf_fini(&edited);
	return ret;
}

/* A line of the store whose name is ctx is removed. */
static int unpin(void *ctx, const char *line, struct buf *to, struct err *err)
{
	size_t len = strlen(ctx);

	if (line == NULL)
		return 0;
	if (strncmp(line, ctx, len) == 0 && line[len] == ' ')
		return 1;
	return buf_addf(to, err, "%s\n", line);
}

/* From a line of the store whose name is ctx, all after the address is removed. */
static int untell(void *ctx, const char *line, struct buf *to, struct err *err)
{
	size_t len = strlen(ctx), end;

	if (line == NULL)
		return 0;
	end = strlen(line);
	if (strncmp(line, ctx, len) == 0 && line[len] == ' ')
		end = len + 1 + strcspn(line + len + 1, " ");
	return buf_addf(to, err, "%.*s\n", (int)end, line) == 0 ? line[end] != 0 : -1;
}

int ui_role_forget_store(const struct ui_role *role, const char *name, struct err *err)
{
	void *store = (void *)(uintptr_t)name;
	char pins[PATH_MAX];
	int pinned, told;

	if (ui_path(pins, role->dir, "pins", err) != 0)
		return -1;
	pinned = ui_role_edit(pins, 0600, unpin, store, err);
	told = pinned < 0 ? -1 : ui_role_edit(role->stores, 0644, untell, store, err);
	return told < 0 ? -1 : pinned & told;
}

int ui_address(struct store_address *a, const char *text, const char *port, struct err *err)
{
	const char *host = text, *end, *colon;
	size_t len;

	if (text[0] == '[') {
		host = text + 1;
		end = strchr(host, ']');
		if (end == NULL || (end[1] != 0 && end[1] != ':'))
			goto malformed;
		colon = end[1] == ':' ? end + 1 : NULL;
	} else {
		colon = strchr(text, ':');
		if (colon != NULL && strchr(colon + 1, ':') != NULL)
			colon = NULL; /* an IPv6 address by itself */
		end = colon != NULL ? colon : text + strlen(text);
	}
	len = (size_t)(end - host);
	/* A port without a host. */
	if (colon == NULL && len > 0 && strspn(host, "0123456789") >= len)
		goto malformed;
	if (len == 0 || len >= sizeof a->host ||
		(colon != NULL && (colon[1] == 0 || strlen(colon + 1) >= sizeof a->port)))
		goto malformed;
	memcpy(a->host, host, len);
	a->host[len] = 0;
	strcpy(a->port, colon != NULL ? colon + 1 : port);
	return 0;
malformed:
	return err_set(err, ERR_USAGE, "'%s' is not an address: write HOST or HOST:PORT", text);
}

int ui_role_managers(const struct ui_role *role,
	struct manager_uplink_peer peers[MANAGER_UPLINKS_MAX], size_t *count, struct err *err)
{
	FILE *file = fopen(role->managers, "re");
	char text[1024], *words[UI_ROLE_WORDS];
	struct store_address address;
	size_t n;
	int ret = 0;

	*count = 0;
	if (file == NULL)
		return err_set(err, ERR_CONFIG,
			"%s: %s: this machine has joined no fleet ('fdump join' does)",
			role->managers, strerror(errno));
	while (ret == 0 && (n = ui_role_words(file, text, words)) > 0) {
		if (n < 2 || !name_ok(words[0], strlen(words[0])))
			ret = err_set(err, ERR_CONFIG,
				"%s: malformed: expected lines NAME HOST[:PORT]", role->managers);
		else if (*count == MANAGER_UPLINKS_MAX)
			ret = err_set(err, ERR_CONFIG, "%s: over %d managers", role->managers,
				MANAGER_UPLINKS_MAX);
		else if ((ret = ui_address(&address, words[1], MANAGER_PORT, err)) == 0) {
			struct manager_uplink_peer *peer = &peers[(*count)++];

			*peer = (struct manager_uplink_peer){.name = ""};
			snprintf(peer->name, sizeof peer->name, "%s", words[0]);
			snprintf(peer->host, sizeof peer->host, "%s", address.host);
			snprintf(peer->port, sizeof peer->port, "%s", address.port);
			if (n > 2 && rpc_host_ok(words[2], strlen(words[2])))
				strcpy(peer->id, words[2]);
		}
	}
	fclose(file);
	if (ret == 0 && *count == 0)
		ret = err_set(err, ERR_CONFIG, "%s: no manager is listed", role->managers);
	return ret;
}

/* --- services -------------------------------------------------------------- */

static int find_store(void *ctx, const char *name, struct store_address *to, struct err *err)
{
	const struct ui_role *role = ((const struct ui_net *)ctx)->role;
	char text[1024], path[PATH_MAX], *words[UI_ROLE_WORDS];
	struct stat st;

	/* The administrator's file takes precedence. */
	if (ui_path(path, role->config, "stores", err) != 0)
		return -1;
	if (find_line(path, name, text, words) > 1 ||
		find_line(role->stores, name, text, words) > 1)
		return ui_address(to, words[1], STORE_PORT, err);
	if (stat(name, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(err, ERR_USAGE,
			"'%s' is the name of a service, and no store of this name is known: write "
			"./%s for the directory",
			name, name);
	return err_set(err, ERR_NOTFOUND,
		"%s: no store of this name is known (%s; 'fdump hosts' asks a manager for new "
		"ones, or add a line NAME HOST:PORT to %s); a directory is written with a slash, "
		"as ./%s",
		name, role->stores, path, name);
}

/* Protects the file of pins, and .changed: several threads open stores. */
static pthread_mutex_t pins_lock = PTHREAD_MUTEX_INITIALIZER;

bool ui_net_changed(struct ui_net *net, const char *store)
{
	size_t len = strcspn(store, ":"), i = 0;
	bool is;

	pthread_mutex_lock(&pins_lock);
	while (i < net->changed_count &&
		(strlen(net->changed[i]) != len || memcmp(net->changed[i], store, len) != 0))
		i++;
	is = i < net->changed_count;
	if (is)
		memmove(net->changed[i], net->changed[--net->changed_count], sizeof *net->changed);
	pthread_mutex_unlock(&pins_lock);
	return is;
}

static int pin_store(void *ctx, const char *name, const uint8_t uid[STORE_UID_LEN],
	const uint8_t public[SEAL_SIGN_LEN], struct err *err)
{
	struct ui_net *net = ctx;
	const struct ui_role *role = net->role;
	bool is_agent = strcmp(role->dir, UI_STATE_DIR "/agent") == 0, pinned, changed;
	const char *of = is_agent ? "" : " --identity ", *identity = is_agent ? "" : role->dir;
	char uid_hex[2 * STORE_UID_LEN + 1], public_hex[2 * SEAL_SIGN_LEN + 1], path[PATH_MAX],
		text[1024], *words[UI_ROLE_WORDS], **known = NULL;
	int ret = 0;

	esc_hex(uid_hex, uid, STORE_UID_LEN);
	esc_hex(public_hex, public, SEAL_SIGN_LEN);
	if (ui_path(path, role->dir, "pins", err) != 0)
		return -1;
	pthread_mutex_lock(&pins_lock);
	pinned = find_line(path, name, text, words) >= 3;
	if (pinned)
		known = words + 1;
	else if (find_line(role->stores, name, text, words) >= 4)
		known = words + 2; /* what the managers announced at enrolment is trusted as much */
	changed = known != NULL &&
		  (strcmp(known[0], uid_hex) != 0 || strcmp(known[1], public_hex) != 0);
	if (changed) {
		ret = err_set(err, ERR_DENIED,
			"refused: the store %s%s is not the %s (uid %.12s, %s %.12s); if it was "
			"replaced on purpose: fdump agent accept %s%s%s",
			pinned ? "" : "that answers as ", name,
			pinned ? "same as before" : "one that the managers announced", uid_hex,
			pinned ? "was" : "announced", known[0], name, of, identity);
	} else if (!pinned) {
		snprintf(text, sizeof text, "%s %s %s\n", name, uid_hex, public_hex);
		ret = file_append(path, text, strlen(text), 0600, err);
	}
	if (changed && net->changed_count < STORES_MAX)
		snprintf(net->changed[net->changed_count++], sizeof *net->changed, "%s", name);
	pthread_mutex_unlock(&pins_lock);
	return ret;
}

void ui_net_set(struct ui_net *net, const struct ui_role *role)
{
	int64_t connect_ms = CONNECT_MS;
	const struct rpc_times *times = ui_test_times(&connect_ms);

	*net = (struct ui_net){.role = role};
	net->net = (struct store_net){
		.cert = role->cert,
		.key = role->key,
		.ca = role->ca,
		.deny = role->deny,
		.find = find_store,
		.pin = pin_store,
		.ctx = net,
		.times = times,
		.connect_ms = connect_ms,
	};
}

const struct rpc_times *ui_test_times(int64_t *patience_ms)
{
	static struct rpc_times times;
	const char *text = getenv("FDUMP_TEST_TIMES");
	long long ping, dead, patience, redial = rpc_times_default.redial;

	if (text == NULL ||
		sscanf(text, "%lld,%lld,%lld,%lld", &ping, &dead, &patience, &redial) < 3)
		return NULL;
	times = rpc_times_default;
	times.ping = ping;
	times.dead = dead;
	times.redial = redial;
	if (patience_ms != NULL)
		*patience_ms = patience;
	return &times;
}
