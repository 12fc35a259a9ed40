// SQLite. Imported by the target SQLite alone.
#include <sqlite3.h>

// A macro that casts an integer to a function pointer, which Swift cannot import.
static inline sqlite3_destructor_type lf_sqlite_transient(void) { return SQLITE_TRANSIENT; }
