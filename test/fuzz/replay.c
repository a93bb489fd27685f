/* Runs a fuzz target over files, without libFuzzer: each argument is a file, or a folder of files.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static long count;

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *data;
	size_t len;

	if (f == NULL || fstat(fileno(f), &st) != 0 ||
		(data = malloc((size_t)st.st_size + 1)) == NULL) {
		perror(path);
		return 1;
	}
	len = fread(data, 1, (size_t)st.st_size, f);
	fclose(f);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
	count++;
	return 0;
}

static int run_path(const char *path)
{
	char inner[4096];
	struct dirent *entry;
	DIR *dir = opendir(path);
	int status = 0;

	if (dir == NULL)
		return run_file(path);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
		status |= run_file(inner);
	}
	closedir(dir);
	return status;
}

int main(int argc, char **argv)
{
	int i, status = 0;

	for (i = 1; i < argc; i++)
		status |= run_path(argv[i]);
	printf("%ld inputs\n", count);
	return status != 0 || count == 0;
}
