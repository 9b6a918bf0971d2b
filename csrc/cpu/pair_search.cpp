// Pairs of points and images that are near each other:            equinet/ops/pair_search.py
//
// Points and images are sorted into boxes. Of every box the images in it and around it are a few
// runs, along which squares of distances are computed. A pair whose square is too close to that of
// the radius for rounding is measured again, x_j - x_i + shift without fused products, so that all
// instruction sets, and the reference, decide alike.
#include "common/api.h"
#include "cpu/parallel.h"

namespace {

constexpr int64_t kSome = 256;  // images at a time
constexpr int64_t kShort = 32;  // numbers that are sorted by counting those below each
constexpr int64_t kGrain = 16;  // boxes for which a second thread is worth its start

// As `Search` in Python; coordinates are (3, points), (3, images) and (3, steps).
template <class T>
struct Search {
    const T *x, *y, *shifts;
    const int64_t *keys, *order, *first, *runs;
    int64_t points, images, steps, boxes, width, bits, loop;
    T inner, outer, limit;

    Search(const T* x, const T* y, const T* shifts, const int64_t* keys, const int64_t* order,
           const int64_t* first, const int64_t* runs, const int64_t* sizes, double radius,
           double slack)
        : x(x), y(y), shifts(shifts), keys(keys), order(order), first(first), runs(runs),
          points(sizes[0]), images(sizes[1]), steps(sizes[2]), boxes(sizes[3]), width(sizes[4]),
          bits(sizes[5]), loop(sizes[6]), inner(-1), outer(T((radius + slack) * (radius + slack))),
          limit(T(radius * radius)) {
        if (radius > slack) inner = T((radius - slack) * (radius - slack));
    }

    int64_t point_of(int64_t key) const { return key >> bits; }
    int64_t step_of(int64_t key) const { return key & ((int64_t(1) << bits) - 1); }
    int64_t own(int64_t i) const { return i << bits | steps / 2; }

    bool is_near(int64_t i, int64_t key) const {
        const int64_t j = point_of(key), step = step_of(key);
        volatile T sum = 0;  // what is volatile is not fused
        for (int64_t a = 0; a < 3; ++a) {
            const T v = (x[a * points + j] - x[a * points + i]) + shifts[a * steps + step];
            volatile T square = v * v;
            sum = sum + square;
        }
        return sum <= limit;
    }

    // Squares of the distances from i to images from `begin` on; those at most `outer` are near, and
    // it returns how many these are.
    int64_t measure(int64_t i, int64_t begin, int64_t size, T* squares) const {
        const T *y0 = y + begin, *y1 = y0 + images, *y2 = y1 + images;
        const T x0 = x[i], x1 = x[points + i], x2 = x[2 * points + i];
        int32_t near = 0, sure = 0;
        for (int64_t k = 0; k < size; ++k) {
            const T v0 = y0[k] - x0, v1 = y1[k] - x1, v2 = y2[k] - x2;
            squares[k] = v0 * v0 + v1 * v1 + v2 * v2;
            near += squares[k] <= outer;
            sure += squares[k] <= inner;
        }
        if (near == sure) return near;
        for (int64_t k = 0; k < size; ++k) {
            if (squares[k] > inner && squares[k] <= outer && !is_near(i, keys[begin + k])) {
                squares[k] = 2 * outer;
                --near;
            }
        }
        return near;
    }

    // body(begin, size) for the images around a box.
    template <class Body>
    void around(int64_t box, const Body& body) const {
        for (const int64_t *run = runs + box * 2 * width, *end = run + 2 * width; run < end; run += 2) {
            for (int64_t k = run[0]; k < run[1]; k += kSome) {
                body(k, run[1] - k < kSome ? run[1] - k : kSome);
            }
        }
    }
};

// The numbers in order, by merging runs that are in order. `other` is as long.
void sort(int64_t* numbers, int64_t count, int64_t* other) {
    for (int64_t begin = 0; begin < count; begin += kShort) {
        const int64_t size = count - begin < kShort ? count - begin : kShort;
        for (int64_t k = 0; k < size; ++k) {
            const int64_t number = numbers[begin + k];
            int64_t below = 0;
            for (int64_t m = 0; m < size; ++m) below += numbers[begin + m] < number;
            other[begin + below] = number;
        }
    }
    int64_t *from = other, *to = numbers;
    for (int64_t size = kShort; size < count; size *= 2) {
        for (int64_t begin = 0; begin < count; begin += 2 * size) {
            int64_t a = begin, b = begin + size < count ? begin + size : count;
            const int64_t half = b, end = b + size < count ? b + size : count;
            int64_t k = begin;
            while (a < half && b < end) {
                const bool left = from[a] < from[b];
                to[k++] = left ? from[a] : from[b];
                a += left;
                b += !left;
            }
            while (a < half) to[k++] = from[a++];
            while (b < end) to[k++] = from[b++];
        }
        int64_t* const last = from;
        from = to;
        to = last;
    }
    if (from != numbers) {
        for (int64_t k = 0; k < count; ++k) numbers[k] = from[k];
    }
}

// The numbers but for one of them; returns how many are left.
int64_t without(int64_t number, int64_t* numbers, int64_t count) {
    int64_t left = 0;
    for (int64_t k = 0; k < count; ++k) {
        numbers[left] = numbers[k];
        left += numbers[k] != number;
    }
    return left;
}

}  // namespace

// For each point, how many images are near.
EQ_OPERATOR pair_counts(const T* x, const T* y, const T* shifts, const int64_t* keys,
                        const int64_t* order, const int64_t* first, const int64_t* runs,
                        const int64_t* sizes, double radius, double slack, int64_t* counts) {
    const Search<T> s(x, y, shifts, keys, order, first, runs, sizes, radius, slack);
    parallel(s.boxes, kGrain, [&](int64_t begin, int64_t end) {
        T squares[kSome];
        for (int64_t box = begin; box < end; ++box) {
            for (int64_t p = first[box]; p < first[box + 1]; ++p) {
                int64_t count = s.loop ? 0 : -1;  // a point is near itself
                s.around(box, [&](int64_t k, int64_t size) {
                    count += s.measure(order[p], k, size, squares);
                });
                counts[order[p]] = count;
            }
        }
    });
    return EQ_OK;
}
EQ_EXPORT(pair_counts)

// The pairs of each point, sorted by key and ending before ends[i]: rows j and i of `edges`, and cells
// of `axes` integers each; j stands in the cell wraps[j], unless all stand in one.
EQ_OPERATOR pair_search(const T* x, const T* y, const T* shifts, const int64_t* keys,
                        const int64_t* order, const int64_t* first, const int64_t* runs,
                        const int64_t* sizes, double radius, double slack, const int64_t* ends,
                        const int64_t* cells, const int64_t* wraps, int64_t axes, int64_t most,
                        int64_t* edges, int64_t* out) {
    const Search<T> s(x, y, shifts, keys, order, first, runs, sizes, radius, slack);
    const int64_t total = s.points ? ends[s.points - 1] : 0;
    bool enough = true;
    parallel(s.boxes, kGrain, [&](int64_t begin, int64_t end) {
        const Scratch<int64_t> memory(2 * most + 4);  // also i itself, and one too many is written
        if (!memory) {
            enough = false;
            return;
        }
        int64_t *const found = memory.data(), *const other = found + most + 2;
        T squares[kSome];
        for (int64_t p = first[begin]; p < first[end]; ++p) {
            while (p >= first[begin + 1]) ++begin;
            const int64_t i = order[p];
            int64_t count = 0;
            s.around(begin, [&](int64_t k, int64_t size) {
                if (!s.measure(i, k, size, squares)) return;
                for (int64_t m = 0; m < size; ++m) {
                    found[count] = keys[k + m];
                    count += squares[m] <= s.outer;
                }
            });
            sort(found, count, other);
            if (!s.loop) count = without(s.own(i), found, count);
            const int64_t start = ends[i] - count;
            for (int64_t k = 0; k < count; ++k) edges[start + k] = s.point_of(found[k]);
            for (int64_t k = 0; k < count; ++k) edges[total + start + k] = i;
            int64_t* cell = out + start * axes;
            for (int64_t k = 0; k < count; ++k) {
                const int64_t* step = cells + s.step_of(found[k]) * axes;
                for (int64_t a = 0; a < axes; ++a) *cell++ = step[a];
            }
            if (!wraps) continue;
            cell = out + start * axes;
            for (int64_t k = 0; k < count; ++k) {
                const int64_t j = s.point_of(found[k]);
                for (int64_t a = 0; a < axes; ++a) {
                    *cell++ += wraps[i * axes + a] - wraps[j * axes + a];
                }
            }
        }
    });
    return enough ? EQ_OK : EQ_NO_MEMORY;
}
EQ_EXPORT(pair_search)
