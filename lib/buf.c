/* A growing byte buffer: its capacity doubles, up to the limit. */
#include "lib/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

#define FIRST_CAP 256

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){.max = max};
}

void buf_fini(struct buf *buf)
{
	free(buf->data);
	buf->data = NULL;
	buf->len = buf->cap = 0;
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
}

uint8_t *buf_room(struct buf *buf, size_t more, struct err *err)
{
	uint8_t *data;
	size_t cap;

	if (more > buf->max - buf->len) {
		err_set(err, ERR_LIMIT, "buffer: %zu bytes would exceed its limit of %zu",
			buf->len + more, buf->max);
		return NULL;
	}
	if (buf->cap - buf->len >= more && buf->data != NULL)
		return buf->data + buf->len;
	cap = buf->cap > buf->max / 2 ? buf->max : buf->cap * 2;
	if (cap < FIRST_CAP)
		cap = buf->max < FIRST_CAP ? buf->max : FIRST_CAP;
	if (cap < buf->len + more)
		cap = buf->len + more;
	if (buf->len == 0) /* realloc would copy bytes that are not in use */
		buf_fini(buf);
	data = realloc(buf->data, cap ? cap : 1);
	if (data == NULL) {
		err_set(err, ERR_NOMEM, "buffer of %zu bytes: out of memory", cap);
		return NULL;
	}
	buf->data = data;
	buf->cap = cap;
	return data + buf->len;
}

void buf_took(struct buf *buf, size_t len)
{
	assert(len <= buf->cap - buf->len);
	buf->len += len;
}

int buf_add(struct buf *buf, const void *bytes, size_t len, struct err *err)
{
	uint8_t *to = buf_room(buf, len, err);

	if (to == NULL)
		return -1;
	if (len > 0)
		memcpy(to, bytes, len);
	buf->len += len;
	return 0;
}

int buf_addf(struct buf *buf, struct err *err, const char *fmt, ...)
{
	va_list ap;
	uint8_t *to;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return err_set(err, ERR_FAILED, "buffer: text could not be formatted");
	to = buf_room(buf, (size_t)n + 1, err);
	if (to == NULL)
		return -1;
	va_start(ap, fmt);
	vsnprintf((char *)to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf->len += (size_t)n;
	return 0;
}

void buf_drop(struct buf *buf, size_t len)
{
	assert(len <= buf->len);
	if (len > 0)
		memmove(buf->data, buf->data + len, buf->len - len);
	buf->len -= len;
}
