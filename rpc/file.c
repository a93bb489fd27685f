/* Whole files, over lib/file. */
#include "rpc/file.h"

#include <sys/stat.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/file.h"

int rpc_file_read(const char *path, struct buf *buf, bool secret, struct err *err)
{
	struct stat st;
	struct err why = {0};
	size_t len;
	uint8_t *to = buf_room(buf, buf->max, err);

	if (to == NULL)
		return err_prefix(err, "read %s", path);
	if (file_read(path, to, buf->max - 1, &len, &st, &why) != 0) {
		if (err != NULL)
			*err = why;
		return why.code == ERR_NOTFOUND ? 1 : -1;
	}
	to[len] = 0;
	buf_took(buf, len);
	if (secret && S_ISREG(st.st_mode) && (st.st_mode & 077) != 0)
		return err_set(err, ERR_CONFIG,
			"%s: others can read it (mode %03o): chmod 600, and replace the secret",
			path, (unsigned)st.st_mode & 0777);
	return 0;
}
