// For GPU code, compiled by nvcc, by NVRTC (no headers at all) and, in the tests, by a C++ compiler.
#pragma once

typedef long long i64;

// Sizes that differ from degree to degree, handed over by value.
constexpr int kMaxDegrees = 128;
struct Degrees {
    i64 count, rows[kMaxDegrees], columns[kMaxDegrees];
};
