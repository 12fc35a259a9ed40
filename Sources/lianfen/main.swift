// Nothing of it is called: it takes the place of the C library's allocator in the whole program. What one thread
// allocates another releases here all the time, which costs jemalloc less.
import CJemalloc
import Commands

LianfenTool.main()
