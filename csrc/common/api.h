// How an operator of the CPU library is declared. No torch, no Python, no C++ library.
//
//     EQ_OPERATOR scale(const T* x, T* out, int64_t size, double factor) { ...; return EQ_OK; }
//     EQ_EXPORT(scale)
//
// exports the plain C functions eq_scale_f32 and eq_scale_f64, as pointers to functions. The Python
// side reads the types of the arguments from that very line, so they are written down once.
#pragma once
#include <cstdint>

#if defined(_WIN32)
#define EQ_API extern "C" __declspec(dllexport)
#else
#define EQ_API extern "C" __attribute__((visibility("default")))
#endif

#define EQ_OPERATOR template <class T> int
#define EQ_EXPORT(name)                           \
    EQ_API auto* const eq_##name##_f32 = &name<float>; \
    EQ_API auto* const eq_##name##_f64 = &name<double>;

// What an operator returns. Shapes and types were checked by the caller; the numbers of points that
// edges hold are not, as that is a pass over them.
enum { EQ_OK = 0, EQ_NO_MEMORY = 1, EQ_BAD_EDGES = 2 };
