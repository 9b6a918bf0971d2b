// For GPU code, compiled by nvcc, by NVRTC (no headers at all) and, in the tests, by a C++ compiler.
#pragma once

typedef long long i64;

constexpr int kWarp = 32;

// Sizes that differ from degree to degree, handed over by value.
constexpr int kMaxDegrees = 128;
struct Degrees {
    i64 count, rows[kMaxDegrees], columns[kMaxDegrees];
};

// The shared memory that a launch asks for, as `T* const name`.
#ifndef EQ_SHARED
#define EQ_SHARED(name)                                              \
    extern __shared__ __align__(16) unsigned char eq_shared_memory[]; \
    T* const name = reinterpret_cast<T*>(eq_shared_memory)
#endif
