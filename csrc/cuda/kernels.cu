// Every kernel, once for float and once for double. The one file that is compiled.
#include "common/device.h"

namespace f32 {
using T = float;
#define EQ_KERNEL(name) extern "C" __global__ void name##_f32
#include "cuda/operators.h"
#undef EQ_KERNEL
}  // namespace f32

namespace f64 {
using T = double;
#define EQ_KERNEL(name) extern "C" __global__ void name##_f64
#include "cuda/operators.h"
#undef EQ_KERNEL
}  // namespace f64
