// jemalloc, the allocator of the program `lianfen`. Imported by that target alone.
#include <jemalloc/jemalloc.h>
