/* One case for each status. */
#include "pack/remark.h"

#include <stdio.h>

#include "pack/command.h"

enum pack_remark pack_remark(const struct pack_head *head, const struct pack_tail *tail,
	const char *made, char *text, size_t len)
{
	char reason[160];

	switch (tail->status) {
	case PACK_OK:
		return PACK_REMARK_NONE;
	case PACK_CHANGED:
	case PACK_GROWN:
	case PACK_SHRUNK:
		snprintf(text, len, "restored as it was read: it %s in the meantime",
			tail->status == PACK_CHANGED ? "was written to"
			: tail->status == PACK_GROWN ? "grew"
						     : "shrank");
		return PACK_REMARK_NOTE;
	case PACK_VANISHED:
		if (tail->has_content && !tail->has_error && tail->size == head->size) {
			snprintf(text, len, "restored: it was removed while it was %s", made);
			return PACK_REMARK_NOTE;
		}
		snprintf(text, len, "not restored: it vanished while it was %s", made);
		return PACK_REMARK_LEAVE;
	case PACK_INCOMPLETE:
		snprintf(text, len,
			"restored without attributes or flags that could not be read when it was "
			"%s",
			made);
		return PACK_REMARK_NOTE;
	case PACK_COMMAND_FAILED:
		pack_command_failed(tail->exit, reason, sizeof reason);
		snprintf(text, len, "not restored: %s", reason);
		return PACK_REMARK_LEAVE;
	default:
		/* All that others need is in their HEAD. */
		if (head->type != PACK_REGULAR && head->type != PACK_COMMAND) {
			snprintf(text, len, "could not be listed when it was %s", made);
			return PACK_REMARK_NOTE;
		}
		snprintf(text, len, "not restored: it could not be read when it was %s", made);
		return PACK_REMARK_LEAVE;
	}
}
