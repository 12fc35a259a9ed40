// zlib. Imported by the target HTTPServer alone.
#include <zlib.h>

// `deflateInit2` is a macro. 31: the largest window, in gzip's format; 8: the usual memory.
static inline int lf_zlib_begin_gzip(z_stream *stream) {
    return deflateInit2(stream, Z_BEST_COMPRESSION, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
}
