/* The limits of this process, and the file system of the store. */
#include "server/check_machine.h"

#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/array.h"

#define OWN_DESCRIPTORS 64 /* files, sockets and event loops of the broker itself */

/* --- descriptors --- */

/* The hard limit: a start raises the soft one to it. */
static void check_descriptors(const struct conf *conf, struct errors *errors)
{
	uint64_t wanted = (uint64_t)conf->limits.connections + OWN_DESCRIPTORS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max == RLIM_INFINITY ||
	    limit.rlim_max >= wanted)
		return;
	errors_warn(errors, conf->path, 0, 0,
	            "limits.connections is %u, and this process may have %llu open files ('ulimit "
	            "-Hn'): no more than about %llu clients can connect; set LimitNOFILE=%llu in "
	            "the systemd unit, or lower limits.connections",
	            conf->limits.connections, (unsigned long long)limit.rlim_max,
	            (unsigned long long)(limit.rlim_max > OWN_DESCRIPTORS
	                                     ? limit.rlim_max - OWN_DESCRIPTORS
	                                     : 0),
	            (unsigned long long)wanted);
}

/* --- the file system of the store --- */

/* Not in every version of linux/magic.h. */
#define MAGIC_CIFS      ((unsigned)0xff534d42)
#define MAGIC_SMB2      ((unsigned)0xfe534d42)
#define MAGIC_OVERLAYFS ((unsigned)0x794c7630)

static const struct {
	unsigned magic;
	bool forgets; /* else: it is shared with other machines */
	const char *name;
} file_systems[] = {
    {TMPFS_MAGIC, true, "tmpfs"},      {RAMFS_MAGIC, true, "ramfs"},
    {NFS_SUPER_MAGIC, false, "NFS"},   {MAGIC_CIFS, false, "CIFS"},
    {SMB_SUPER_MAGIC, false, "SMB"},   {MAGIC_SMB2, false, "SMB"},
    {FUSE_SUPER_MAGIC, false, "FUSE"}, {V9FS_MAGIC, false, "9p"},
};

/* What a container writes beside its volumes is gone when it is made anew, as at each update. Other
 * machines have overlayfs, too, and keep it (OpenWrt), so both must be seen. */
static bool is_layer_of_container(unsigned magic)
{
	static const char *const marks[] = {"/.dockerenv", "/run/.containerenv"};
	bool in_container =
	    getenv("container") != NULL || getenv("KUBERNETES_SERVICE_HOST") != NULL;

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		in_container |= access(marks[i], F_OK) == 0;
	/* mutant: layer_of_a_container */
	return magic == MAGIC_OVERLAYFS && in_container;
}

/* Of the directory, or of the one where it will be made. */
static bool find_file_system(const char *directory, struct statfs *out)
{
	char *above;
	bool found = statfs(directory, out) == 0;
	char *slash;

	if (found)
		return true;
	above = xstrdup(directory);
	slash = strrchr(above, '/');
	if (slash != NULL)
		slash[slash == above] = '\0';
	found = statfs(slash == NULL ? "." : above, out) == 0;
	free(above);
	return found;
}

static void check_file_system(const struct conf *conf, struct errors *errors)
{
	const char *directory = conf->persistence_directory;
	struct statfs of;

	if (directory == NULL || !find_file_system(directory, &of))
		return;
	if (is_layer_of_container((unsigned)of.f_type))
		errors_warn(
		    errors, directory, 0, 0,
		    "persistence.directory is in the container's own layer (overlayfs): all "
		    "of it is gone when the container is made anew, as at an update; mount "
		    "a volume there");
	for (size_t i = 0; i < ARRAY_LEN(file_systems); i++) {
		if ((unsigned)of.f_type != file_systems[i].magic)
			continue;
		if (file_systems[i].forgets)
			errors_warn(errors, directory, 0, 0,
			            "persistence.directory is in memory (%s): all of it is gone "
			            "after a restart of the machine; name a directory on a disk, "
			            "or leave persistence out",
			            file_systems[i].name);
		else
			errors_warn(errors, directory, 0, 0,
			            "persistence.directory is on %s, where neither the lock of the "
			            "store nor its order of writing is sure to work; name a "
			            "directory on a disk of this machine",
			            file_systems[i].name);
		return;
	}
}

void check_machine(const struct conf *conf, struct errors *errors)
{
	check_descriptors(conf, errors);
	check_file_system(conf, errors);
}
