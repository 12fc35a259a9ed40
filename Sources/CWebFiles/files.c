#include "CWebFiles.h"

// The files of Web/ as they are, made part of the program by `#embed` of C23, whose files are dependencies of the build
// as included ones are. A file is one stanza below and nothing anywhere else: the linker gathers the rows of a section,
// and names where they begin and end. (`#embed` could be one line by `prefix` and `suffix`, but those must be balanced.)
#pragma clang diagnostic ignored "-Wc23-extensions"

#define HTML "text/html; charset=utf-8"
#define CSS "text/css; charset=utf-8"
#define SCRIPT "text/javascript; charset=utf-8"
#define SVG "image/svg+xml"

#define BYTES(name) static const unsigned char name[] = {
#define ROW(name, path, type)                                                                                          \
    };                                                                                                                 \
    static const struct lf_web_file name##_row                                                                         \
        __attribute__((used, section("lf_web_rows"), aligned(8))) = {path, type, name, sizeof name};

// clang-format off
BYTES(explorer_css)
#embed "../../Web/explorer.css"
ROW(explorer_css, "explorer.css", CSS)

BYTES(explorer_js)
#embed "../../Web/explorer.js"
ROW(explorer_js, "explorer.js", SCRIPT)

BYTES(icon_svg)
#embed "../../Web/icon.svg"
ROW(icon_svg, "icon.svg", SVG)

BYTES(index_html)
#embed "../../Web/index.html"
ROW(index_html, "index.html", HTML)

BYTES(lianfen_js)
#embed "../../Web/lianfen.js"
ROW(lianfen_js, "lianfen.js", SCRIPT)
// clang-format on

extern const struct lf_web_file __start_lf_web_rows[], __stop_lf_web_rows[];

const struct lf_web_file *lf_web_files(size_t *count) {
    *count = (size_t)(__stop_lf_web_rows - __start_lf_web_rows);
    return __start_lf_web_rows;
}
