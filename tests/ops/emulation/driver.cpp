// The entry points of the CUDA driver that equinet/ops/native/cuda.py calls, over the emulation.
//
// Every kernel is entered with the types of its own signature, so a wrong number, order or type of
// an argument on the Python side gives wrong numbers or a crash, as on a GPU. EQ_ENTRIES is a list
// ENTRY(block_matmul) ENTRY(...) of all kernels, given to the compiler.
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "cuda.h"
//
#include "cuda/kernels.cu"

namespace {

using Entry = std::function<void(void**, dim3, dim3, unsigned)>;

template <class... A, size_t... N>
Entry entry(void (*kernel)(A...), std::index_sequence<N...>) {
    return [kernel](void** given, dim3 grid, dim3 block, unsigned shared) {
        std::tuple<A...> values(*static_cast<A*>(given[N])...);
        emulation::launch(grid, block, shared, [&] { std::apply(kernel, values); });
    };
}

template <class... A>
Entry entry(void (*kernel)(A...)) {
    return entry(kernel, std::index_sequence_for<A...>{});
}

std::map<std::string, Entry>& entries() {
#define ENTRY(name) {#name "_f32", entry(f32::name##_f32)}, {#name "_f64", entry(f64::name##_f64)},
    static std::map<std::string, Entry> all{EQ_ENTRIES};
    return all;
}

enum { kSuccess = 0, kInvalidValue = 1, kNotFound = 500 };

}  // namespace

#define API extern "C" __attribute__((visibility("default"))) int

API cuInit(unsigned) { return kSuccess; }
API cuDriverGetVersion(int* version) { return *version = 13000, kSuccess; }
API cuDeviceGet(int* device, int index) { return *device = index, kSuccess; }
API cuDevicePrimaryCtxRetain(void** context, int) { return *context = &entries(), kSuccess; }
API cuCtxSetCurrent(void*) { return kSuccess; }
API cuModuleLoadData(void** module, const void*) { return *module = &entries(), kSuccess; }

API cuModuleGetFunction(void** function, void*, const char* name) {
    const auto found = entries().find(name);
    if (found == entries().end()) return kNotFound;
    *function = &found->second;
    return kSuccess;
}

API cuGetErrorString(int error, const char** text) {
    *text = error == kNotFound ? "named symbol not found" : "invalid argument";
    return kSuccess;
}

API cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, void*, void** given, void**) {
    if (!gx || !gy || !gz || !bx || !by || !bz || bx * by * bz > 1024) return kInvalidValue;
    if (gy > 65535 || gz > 65535 || shared > 48 * 1024) return kInvalidValue;
    (*static_cast<Entry*>(function))(given, {gx, gy, gz}, {bx, by, bz}, shared);
    return kSuccess;
}

API emulation_descending(int on) { return emulation::descending = on, kSuccess; }
