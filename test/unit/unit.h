/* What every unit test includes: cmocka, after the headers that it needs. */
#ifndef FDUMP_TEST_UNIT_H
#define FDUMP_TEST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/err.h"

#define RUN(tests) cmocka_run_group_tests(tests, NULL, NULL)

#endif
