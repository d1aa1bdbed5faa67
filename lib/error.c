/* SPDX-License-Identifier: MIT
 *
 * The last failure of each thread, in words; and the check of options structs.
 */
#include "error.h"

#include <bellwire.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_error[256];

const char *bw_last_error(void)
{
	return last_error;
}

int fail(int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(last_error, sizeof(last_error), format, args);
	va_end(args);
	return err;
}

int copy_options(void *to, size_t known, const void *from, const char *what)
{
	const unsigned char *bytes = from;
	size_t size;

	if (!from)
		return fail(-EINVAL, "%s: no options", what);
	memcpy(&size, from, sizeof(size));
	if (size < sizeof(size))
		return fail(-EINVAL, "%s: the options' size is %zu, not sizeof(struct)", what,
			    size);
	for (size_t i = known; i < size; i++)
		if (bytes[i])
			return fail(-E2BIG, "%s: options that this library does not know", what);
	memset(to, 0, known);
	memcpy(to, from, size < known ? size : known);
	return 0;
}

int copy_result(void *to, const void *from, size_t known, const char *what)
{
	unsigned char *bytes = to;
	size_t size;

	memcpy(&size, to, sizeof(size));
	if (size < sizeof(size))
		return fail(-EINVAL, "%s: the size is %zu, not sizeof(struct)", what, size);
	memset(bytes + sizeof(size), 0, size - sizeof(size));
	memcpy(bytes + sizeof(size), (const unsigned char *)from + sizeof(size),
	       (size < known ? size : known) - sizeof(size));
	return 0;
}
