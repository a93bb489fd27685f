/* Base64: every three bytes become four characters. */
#include "lib/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *bytes, size_t len, char *text)
{
	const uint8_t *in = bytes;

	for (; len > 0; in += 3, text += 4) {
		size_t n = len < 3 ? len : 3, i;
		uint32_t bits = 0;

		for (i = 0; i < 3; i++)
			bits = bits << 8 | (i < n ? in[i] : 0);
		for (i = 0; i < 4; i++)
			text[i] = i <= n ? alphabet[bits >> (18 - 6 * i) & 63] : '=';
		len -= n;
	}
	*text = 0;
}

int base64_decode(const char *text, size_t text_len, void *bytes, size_t cap, size_t *len)
{
	uint8_t *out = bytes;

	*len = 0;
	if (text_len % 4 != 0)
		return -1;
	for (; text_len > 0; text += 4, text_len -= 4) {
		/* Only the last four characters may end in padding. */
		size_t n = text_len > 4 || text[3] != '=' ? 3 : text[2] != '=' ? 2 : 1, i;
		uint32_t bits = 0;

		for (i = 0; i < 4; i++) {
			const char *hit = i <= n ? memchr(alphabet, text[i], 64) : alphabet;

			if (hit == NULL)
				return -1;
			bits = bits << 6 | (uint32_t)(hit - alphabet);
		}
		/* The bits that the padding covers must be zero, so that no bytes have
		 * two texts. */
		if ((bits & ((1u << 8 * (3 - n)) - 1)) != 0 || n > cap - *len)
			return -1;
		for (i = 0; i < n; i++)
			out[(*len)++] = (uint8_t)(bits >> (16 - 8 * i));
	}
	return 0;
}
