// The files with kernels; kernels.cu includes this list once for each type T. They include nothing.
//
//     EQ_KERNEL(scale)(const T* x, T* out, i64 size, double factor) { ... }
//
// defines scale_f32 and scale_f64. As on the CPU, Python reads the types from that line.
#include "cuda/block_matmul.cu"
#include "cuda/edge_sum.cu"
#include "cuda/edge_sum_gradients.cu"
#include "cuda/expansion.cu"
#include "cuda/filter_spectrum.cu"
#include "cuda/s2.cu"
#include "cuda/so3_degrees.cu"
#include "cuda/so3_waves.cu"
