#pragma once
// Nothing is called by name: the library is loaded before the C library and takes the place of its calls.
