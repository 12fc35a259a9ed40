// GNU libmicrohttpd. Imported by the target HTTPServer alone.
#include <microhttpd.h>

// What the daemon calls back. All of them get `context` first.
typedef struct {
    MHD_AccessHandlerCallback handle;
    MHD_RequestCompletedCallback completed;
    MHD_NotifyConnectionCallback notify;
    void *(*line)(void *context, const char *uri, struct MHD_Connection *connection);
    void *context;
} lf_http_callbacks;

// The daemon without a socket or a thread of its own: variadic, which Swift cannot call. `certificate` and `key` are PEM
// texts, or both NULL for plain HTTP.
static inline struct MHD_Daemon *lf_http_start(
    lf_http_callbacks callbacks, unsigned int connections, size_t pool_bytes, const char *certificate,
    const char *key, const char *priorities) {
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)priorities},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    unsigned int flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME
        | (certificate != NULL ? MHD_USE_TLS : 0);
    return MHD_start_daemon(
        flags, 0, NULL, NULL, callbacks.handle, callbacks.context,
        MHD_OPTION_NOTIFY_COMPLETED, callbacks.completed, callbacks.context,
        MHD_OPTION_NOTIFY_CONNECTION, callbacks.notify, callbacks.context,
        MHD_OPTION_URI_LOG_CALLBACK, callbacks.line, callbacks.context,
        MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool_bytes,
        MHD_OPTION_ARRAY, certificate != NULL ? tls : none, MHD_OPTION_END);
}

// What to wait at for the daemon to have something to do.
static inline int lf_http_epoll(struct MHD_Daemon *daemon) {
    return MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

static inline int lf_http_descriptor(struct MHD_Connection *connection) {
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

static inline const struct sockaddr *lf_http_address(struct MHD_Connection *connection) {
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
}

// What the notification of a new connection left for it.
static inline void *lf_http_connection_context(struct MHD_Connection *connection) {
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

// Has the daemon look at a connection in every round, which it does for those alone that have a timeout of their own. Ours
// is longer than any connection lives.
static inline void lf_http_look_after(struct MHD_Connection *connection) {
    const unsigned int day_seconds = 86400;
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, day_seconds);
}

// Enumeration constants behind a deprecation macro are not visible to Swift.
static inline struct MHD_Response *lf_http_response_copying(size_t count, const void *bytes) {
    return MHD_create_response_from_buffer(count, (void *)bytes, MHD_RESPMEM_MUST_COPY);
}

static inline uint64_t lf_http_size_unknown(void) { return MHD_SIZE_UNKNOWN; }
static inline ssize_t lf_http_stream_end(void) { return MHD_CONTENT_READER_END_OF_STREAM; }
static inline ssize_t lf_http_stream_broken(void) { return MHD_CONTENT_READER_END_WITH_ERROR; }

// The fields of a head. The constant of their kind is not visible to Swift either.
static inline int lf_http_fields(struct MHD_Connection *connection, MHD_KeyValueIteratorN each, void *context) {
    return MHD_get_connection_values_n(connection, MHD_HEADER_KIND, each, context);
}

// What the C library declares for those only who ask it for everything.
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
extern int accept4(int descriptor, struct sockaddr *address, socklen_t *count, int flags);

// What one thread rings to wake another that waits at descriptors.
static inline int lf_bell(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

// The system's view of a socket.
typedef struct {
    uint64_t bytes_received;
    int is_open; // neither side has closed
} lf_tcp_state;

// By place, since the C library's `struct tcp_info` ends before the count, and the kernel's cannot be imported beside it.
// The kernel only ever appends to it.
static inline int lf_tcp_state_of(int descriptor, lf_tcp_state *state) {
    unsigned char info[192] = {0};
    socklen_t size = sizeof info;
    if (getsockopt(descriptor, 6 /* IPPROTO_TCP */, 11 /* TCP_INFO */, info, &size) != 0) return -1;
    state->is_open = info[0] == 1; // tcpi_state, TCP_ESTABLISHED
    memcpy(&state->bytes_received, info + 128, 8); // tcpi_bytes_received
    return 0;
}
