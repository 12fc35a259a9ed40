#ifndef LF_WEB_FILES_H
#define LF_WEB_FILES_H

#include <stddef.h>

/// A file of Web/ as it was when the program was built.
struct lf_web_file {
    /// Path under the server's root, without a slash in front.
    const char *path;
    /// Media type.
    const char *type;
    const unsigned char *bytes;
    size_t count;
};

/// All of them; they live as long as the program.
const struct lf_web_file *lf_web_files(size_t *count);

#endif
