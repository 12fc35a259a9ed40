// The C library's own, which Swift's module of it leaves out.
#include <sys/epoll.h>
