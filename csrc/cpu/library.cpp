// What the library says of itself, and the threads it is given.
#include "common/api.h"
#include "cpu/parallel.h"

// Set at load to torch's own pool; null: this thread does all.
eq_parallel_for eq_pool = nullptr;

EQ_API void eq_set_pool(void* pool) { eq_pool = reinterpret_cast<eq_parallel_for>(pool); }

// The state of the sources that this file was compiled from.
EQ_API const char* eq_sources() { return EQ_SOURCES; }

EQ_API const char* eq_instruction_set() { return EQ_INSTRUCTION_SET; }
