/* lib/db: processes that open and close a database at the same time. */
#include "test/unit/unit.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/db.h"

#define PROCESSES 3
#define ROUNDS    300

static const char *const tables[] = {"one"};

static int open_often(const char *dir)
{
	struct err err = {0};
	struct db *db;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		db = db_open(dir, tables, 1, 1 << 20, i % 2 == 0, &err);
		if (db == NULL) {
			fprintf(stderr, "round %d: %s\n", i, err.message);
			return 1;
		}
		db_close(db);
	}
	return 0;
}

/* With LMDB 0.9.27 to 0.9.31 the mutexes of the lock file may be gone (ITS#10095). */
static void opened_by_several(void **state)
{
	char dir[] = "/tmp/fdump-db-XXXXXX", command[64];
	int i, status, failed = 0;
	struct err err = {0};
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	db_close(db_open(dir, tables, 1, 1 << 20, true, &err));
	for (i = 0; i < PROCESSES; i++) {
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			_exit(open_often(dir));
	}
	for (i = 0; i < PROCESSES; i++) {
		assert_true(wait(&status) > 0);
		failed += status != 0;
	}
	snprintf(command, sizeof command, "rm -r %s", dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opened_by_several),
	};

	return RUN(tests);
}
