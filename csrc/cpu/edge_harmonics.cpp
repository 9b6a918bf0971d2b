// Lengths of vectors, harmonics of their directions, derivatives:    equinet/ops/edge_directions.py
//
//     u = r / |r|,   Y_(l+1) = Q_l (Y_l x u)
//
// A vector register holds one coordinate of as many edges. Derivatives of the gradient come from the
// same steps, done with numbers that know how they change along a direction.
#include "common/api.h"
#include "cpu/columns.h"
#include "cpu/parallel.h"

namespace {

using eq::lanes;
using eq::Vector;

constexpr int64_t kGrain = 64;  // registers of edges for which a second thread is worth its start
constexpr int64_t kMostAxes = 3;

inline float root(float x) { return __builtin_sqrtf(x); }
inline double root(double x) { return __builtin_sqrt(x); }

// A number as it is.
template <class T>
struct Plain {
    Vector<T> value;
    Vector<T> shown() const { return value; }
};
template <class T>
Plain<T> operator+(Plain<T> a, Plain<T> b) { return {a.value + b.value}; }
template <class T>
Plain<T> operator-(Plain<T> a, Plain<T> b) { return {a.value - b.value}; }
template <class T>
Plain<T> operator*(Plain<T> a, Plain<T> b) { return {a.value * b.value}; }
template <class T>
Plain<T> operator*(T a, Plain<T> b) { return {a * b.value}; }
template <class T>
Plain<T> inverse_root(Plain<T> a) {
    T squares[lanes<T>()];
    std::memcpy(squares, &a.value, sizeof squares);
    for (T& square : squares) square = 1 / root(square);
    return {eq::load(squares)};
}

// A number and its change along a direction, to first order.
template <class T>
struct Dual {
    Vector<T> value, change;
    Vector<T> shown() const { return change; }
};
template <class T>
Dual<T> operator+(Dual<T> a, Dual<T> b) { return {a.value + b.value, a.change + b.change}; }
template <class T>
Dual<T> operator-(Dual<T> a, Dual<T> b) { return {a.value - b.value, a.change - b.change}; }
template <class T>
Dual<T> operator*(Dual<T> a, Dual<T> b) {
    return {a.value * b.value, a.value * b.change + a.change * b.value};
}
template <class T>
Dual<T> operator*(T a, Dual<T> b) { return {a * b.value, a * b.change}; }
template <class T>
Dual<T> inverse_root(Dual<T> a) {
    const Vector<T> found = inverse_root(Plain<T>{a.value}).value;
    return {found, T(-0.5) * found * found * found * a.change};
}

// Numbers of an edge stand in a row; all but r may be null.
template <class T>
struct Given {
    const T *r, *direction, *to_length, *to_harmonics, *steps;
    const int64_t* dims;  // of each degree
    int64_t degrees, n, count;
    int64_t harmonics() const {
        int64_t sum = 0;
        for (int64_t l = 0; l < degrees; ++l) sum += dims[l];
        return sum;
    }
    int64_t entries() const {
        int64_t sum = 0;
        for (int64_t l = 0; l + 1 < degrees; ++l) sum += dims[l + 1] * dims[l] * n;
        return sum;
    }
};
template <class T>
struct Results {
    T *length, *harmonics, *gradient;
};

// Entry `at` of the rows of `some` edges, and 0 beyond these.
template <class T>
Vector<T> column(const T* rows, int64_t width, int64_t at, int64_t some) {
    T found[lanes<T>()] = {};
    for (int64_t k = 0; rows && k < some; ++k) found[k] = rows[k * width + at];
    return eq::load(found);
}
template <class T>
void put(Vector<T> values, T* rows, int64_t width, int64_t at, int64_t some) {
    T given[lanes<T>()];
    std::memcpy(given, &values, sizeof given);
    for (int64_t k = 0; k < some; ++k) rows[k * width + at] = given[k];
}

template <class T>
void set(Plain<T>& number, Vector<T> value, Vector<T>) { number.value = value; }
template <class T>
void set(Dual<T>& number, Vector<T> value, Vector<T> change) { number = {value, change}; }

// Harmonics of each degree from those below it.
template <class N, class T>
void ascend(const Given<T>& given, const N* u, N* y) {
    const T* step = given.steps;
    for (int64_t l = 0; l + 1 < given.degrees; ++l, y += given.dims[l - 1]) {
        const int64_t dim = given.dims[l];
        for (int64_t i = 0; i < given.dims[l + 1]; ++i) {
            N sum{};
            for (int64_t m = 0; m < dim; ++m) {
                for (int64_t a = 0; a < given.n; ++a) sum = sum + *step++ * (y[m] * u[a]);
            }
            y[dim + i] = sum;
        }
    }
}

// The gradient by u, from that by all harmonics, which is added up on the way to degree 0.
template <class N, class T>
void descend(const Given<T>& given, const N* u, const N* y, N* to_y, N* to_u) {
    const T* step = given.steps + given.entries();
    const int64_t n = given.n;
    int64_t at = given.harmonics() - given.dims[given.degrees - 1];
    for (int64_t l = given.degrees - 1; l-- > 0;) {
        const int64_t dim = given.dims[l], rows = given.dims[l + 1], below = at - dim;
        step -= rows * dim * n;
        for (int64_t m = 0; m < dim; ++m) {
            for (int64_t a = 0; a < n; ++a) {
                N sum{};
                for (int64_t i = 0; i < rows; ++i) {
                    sum = sum + step[(i * dim + m) * n + a] * to_y[at + i];
                }
                to_y[below + m] = to_y[below + m] + sum * u[a];
                to_u[a] = to_u[a] + sum * y[below + m];
            }
        }
        at = below;
    }
}

// Edges `first` to `first + some`, no more than a register has. `y` and `to_y` hold the harmonics.
template <class N, class T>
void edges(const Given<T>& given, const Results<T>& out, int64_t first, int64_t some, N* y, N* to_y) {
    const int64_t n = given.n, width = given.harmonics();
    const Vector<T> none{}, one = none + 1;
    const auto from = [&](const T* rows, int64_t row) { return rows ? rows + first * row : rows; };
    // Scaled by the largest coordinate first, so that tiny vectors keep their direction.
    N u[kMostAxes], squares{}, down{};
    Vector<T> scale{};
    auto origin = scale == 0;
    for (int64_t a = 0; a < n; ++a) {
        set(u[a], column(from(given.r, n), n, a, some),
            column(from(given.direction, n), n, a, some));
        const Vector<T> size = u[a].value < 0 ? -u[a].value : u[a].value;
        scale = scale < size ? size : scale;
        origin &= size == 0;  // which is not so of NaN
    }
    scale = origin ? one : scale;
    set(down, one / scale, none);
    for (int64_t a = 0; a < n; ++a) {
        u[a] = down * u[a];
        squares = squares + u[a] * u[a];
    }
    squares.value = origin ? one : squares.value;
    const N inverse = inverse_root(squares), length = squares * inverse;
    for (int64_t a = 0; a < n; ++a) {
        u[a] = inverse * u[a];
        set(u[a], origin ? none : u[a].value, origin ? none : u[a].shown());
    }
    set(y[0], one, none);
    ascend(given, u, y);
    if (out.length) {
        put((origin ? none : scale * length.shown()), out.length + first, 1, 0, some);
    }
    for (int64_t h = 0; out.harmonics && h < width; ++h) {
        put(y[h].shown(), out.harmonics + first * width, width, h, some);
    }
    if (!out.gradient) return;
    N to_u[kMostAxes] = {}, along{}, to_length{};
    for (int64_t h = 0; h < width; ++h) {
        set(to_y[h], column(from(given.to_harmonics, width), width, h, some), none);
    }
    descend(given, u, y, to_y, to_u);
    set(to_length, column(from(given.to_length, 1), 1, 0, some), none);
    for (int64_t a = 0; a < n; ++a) along = along + u[a] * to_u[a];
    for (int64_t a = 0; a < n; ++a) {
        const N found = down * (inverse * (to_u[a] - along * u[a])) + to_length * u[a];
        put((origin ? none : found.shown()), out.gradient + first * n, n, a, some);
    }
}

template <class N, class T>
int all_edges(const Given<T>& given, const Results<T>& out) {
    constexpr int64_t wide = lanes<T>();
    bool enough = true;
    parallel((given.count + wide - 1) / wide, kGrain, [&](int64_t begin, int64_t end) {
        const Scratch<N> memory(2 * given.harmonics());
        if (!memory) {
            enough = false;
            return;
        }
        for (int64_t i = begin * wide; i < given.count && i < end * wide; i += wide) {
            const int64_t left = given.count - i, some = left < wide ? left : wide;
            edges(given, out, i, some, memory.data(), memory.data() + given.harmonics());
        }
    });
    return enough ? EQ_OK : EQ_NO_MEMORY;
}

}  // namespace

EQ_OPERATOR edge_harmonics(const T* r, const T* steps, T* length, T* harmonics, const int64_t* dims,
                           int64_t degrees, int64_t n, int64_t count) {
    const Given<T> given{r, nullptr, nullptr, nullptr, steps, dims, degrees, n, count};
    return all_edges<Plain<T>>(given, Results<T>{length, harmonics, nullptr});
}
EQ_EXPORT(edge_harmonics)

// The gradient by r, of which `to_length` and `to_harmonics`, which may be null, are those by the two.
EQ_OPERATOR edge_harmonics_gradient(const T* r, const T* to_length, const T* to_harmonics,
                                    const T* steps, T* gradient, const int64_t* dims,
                                    int64_t degrees, int64_t n, int64_t count) {
    const Given<T> given{r, nullptr, to_length, to_harmonics, steps, dims, degrees, n, count};
    return all_edges<Plain<T>>(given, Results<T>{nullptr, nullptr, gradient});
}
EQ_EXPORT(edge_harmonics_gradient)

// How length, harmonics and that gradient change along a direction.
EQ_OPERATOR edge_harmonics_tangent(const T* r, const T* direction, const T* to_length,
                                   const T* to_harmonics, const T* steps, T* length, T* harmonics,
                                   T* gradient, const int64_t* dims, int64_t degrees, int64_t n,
                                   int64_t count) {
    const Given<T> given{r, direction, to_length, to_harmonics, steps, dims, degrees, n, count};
    return all_edges<Dual<T>>(given, Results<T>{length, harmonics, gradient});
}
EQ_EXPORT(edge_harmonics_tangent)
