// The sums over the waves of a transform on SO(3), (F2) and (F3) of cpu/so3.cpp, and their transpose:
//
//     z (waves in gamma, in alpha; outer, beta, inner)  <->  signal (outer, gamma, alpha, beta, inner)
//
// with the waves 1, cos, sin, cos 2, sin 2, ... A block has a few points (outer, beta, inner), which
// are neighbours in both. It does one sum from global into shared memory and the other from there;
// only a tile of what lies between fits, of `tile` pairs of angles +-alpha in the sum and of as many
// orders n in its transpose. So the result is written once, and what is summed is read once by each
// tile, of which the blocks are neighbours in time: 1 up to band 16, 5 at band 32 (4 in the transpose,
// all in float32).
//
// Both sums are done for an angle and its mirror image at a time: they differ in the sign of the sines
// only, which halves the products. A thread does two series of kRun such pairs, or orders, at a time:
// 4 kRun products for 4 numbers and two runs of a table.

constexpr int kRun = 4;

struct alignas(16) Run {
    T entry[kRun];
};

// A table of equinet/ops/so3.py: a row for each angle, cosines apart from sines (alpha) or in turn.
struct Waves {
    const T* table;
    int band;
    bool apart;
    __device__ T at(int angle, int k, int sine) const {
        if (apart) return table[i64(angle) * 2 * band + sine * band + k];
        return table[i64(angle) * (2 * band - 1) + (k ? 2 * k - 1 + sine : 0)];
    }
};

// shared[i][cos, sin][j], j < tile: an order i and the angles `first` + j, or with `by_order` an angle i
// and the orders `first` + j. Zeros beyond `end`.
__device__ inline void stage(T* shared, const Waves& waves, bool by_order, int count, int first,
                             int end, int tile) {
    for (int at = threadIdx.x; at < count * 2 * tile; at += blockDim.x) {
        const int j = first + at % tile, sine = at / tile % 2, i = at / tile / 2;
        T value = 0;
        if (j < end) value = waves.at(by_order ? i : j, by_order ? j : i, sine);
        shared[at] = value;
    }
}

__device__ inline Run run_at(const T* shared) { return *reinterpret_cast<const Run*>(shared); }

// even = sum_k cos x_k and odd = sum_k sin x_k for a run of angles, with x = x_0, cos 1, sin 1, ...
// `step` apart, for two series.
__device__ inline void sum_waves(const T* table, int tile, int band, const T* first, const T* second,
                                 i64 step, T (*even)[kRun], T (*odd)[kRun]) {
    const Run one = run_at(table);
    const T a = *first, b = *second;
#pragma unroll
    for (int r = 0; r < kRun; ++r) {
        even[0][r] = one.entry[r] * a;
        even[1][r] = one.entry[r] * b;
        odd[0][r] = odd[1][r] = 0;
    }
#pragma unroll 2
    for (int k = 1; k < band; ++k, first += 2 * step, second += 2 * step) {
        const Run c = run_at(table + 2 * k * tile), s = run_at(table + (2 * k + 1) * tile);
        const T x[2] = {first[step], second[step]}, y[2] = {first[2 * step], second[2 * step]};
#pragma unroll
        for (int i = 0; i < 2; ++i) {
#pragma unroll
            for (int r = 0; r < kRun; ++r) {
                even[i][r] += c.entry[r] * x[i];
                odd[i][r] += s.entry[r] * y[i];
            }
        }
    }
}

// The transpose: cosine = sum over pairs of angles of cos e, sine = sum of sin o, for a run of orders
// and two series; take(pair, e, o) gives the sum and the difference of the two angles.
template <class Take>
__device__ void find_waves(const T* table, int tile, int pairs, const Take& take, T (*cosine)[kRun],
                           T (*sine)[kRun]) {
#pragma unroll 2
    for (int j = 0; j < pairs; ++j) {
        T e[2], o[2];
        take(j, e, o);
        const Run c = run_at(table + 2 * j * tile), s = run_at(table + (2 * j + 1) * tile);
#pragma unroll
        for (int i = 0; i < 2; ++i) {
#pragma unroll
            for (int r = 0; r < kRun; ++r) {
                cosine[i][r] += c.entry[r] * e[i];
                sine[i][r] += s.entry[r] * o[i];
            }
        }
    }
}

// Where a thread is: number `lane` of the `lanes` that share the work at one point, in tile `tile`.
struct Spot {
    int point, lane, lanes, tile;
    i64 at;  // the point among all
    __device__ Spot(int points, unsigned tiles)
        : point(threadIdx.x % points),
          lane(threadIdx.x / points),
          lanes(blockDim.x / points),
          tile(blockIdx.x % tiles),
          at(i64(blockIdx.x / tiles) * points + point) {}
    // run(i, start) for all i < count and the starts of all runs below `length`.
    template <class Each>
    __device__ void for_runs(int count, int length, const Each& run) const {
        const int runs = (length + kRun - 1) / kRun;
        for (int i = lane; i < count * runs; i += lanes) run(i / runs, i % runs * kRun);
    }
};

// A signal at one point: `line` numbers lie between neighbours in alpha, `row` in gamma, and `mask` is
// where its part of a mask (outer, group of kGroup columns, beta, alpha, gamma, column) begins.
constexpr int kGroup = 16;
struct Field {
    i64 size, line, row, start, mask;
    __device__ Field(i64 size, i64 inner, i64 at)
        : size(size), line(size * inner), row(size * line), start(at / line * size * row + at % line) {
        const i64 outer = at / line, beta = at % line / inner, column = at % inner;
        const i64 group = outer * ((inner + kGroup - 1) / kGroup) + column / kGroup;
        mask = (group * size + beta) * size * size * kGroup + column % kGroup;
    }
    __device__ i64 masked(i64 alpha, i64 gamma) const { return mask + (alpha * size + gamma) * kGroup; }
    // The other of a pair of angles; 0 and pi have none but themselves.
    __device__ i64 mirror(i64 angle) const { return angle ? size - angle : 0; }
    __device__ bool alone(i64 angle) const { return !angle || 2 * angle == size; }
};

// The signal counts as zero where `zero` says so. `negative` is to say where it was not above zero,
// where it is then made zero. Both may be null.
struct Masks {
    const unsigned char* zero;
    unsigned char* negative;
    __device__ T read(const T* signal, const Field& field, i64 alpha, i64 gamma) const {
        // Asked for in any case, so that nothing waits for the mask.
        const T value = signal[field.start + alpha * field.line + gamma * field.row];
        return zero && zero[field.masked(alpha, gamma)] ? T(0) : value;
    }
    __device__ void write(T* signal, const Field& field, i64 alpha, i64 gamma, T value) const {
        const i64 mask = field.masked(alpha, gamma);
        if (zero && zero[mask]) value = 0;
        if (negative) {
            const bool low = value <= 0;  // no, if it is not a number
            negative[mask] = low;
            if (low) value = 0;
        }
        signal[field.start + alpha * field.line + gamma * field.row] = value;
    }
};

// `tile` pairs of angles alpha, `gamma_tile` of gamma at a time.
EQ_KERNEL(so3_sum_waves)(const T* z, const T* alpha, const T* gamma, const unsigned char* zero,
                         T* signal, unsigned char* negative, int band, i64 size, i64 inner, i64 total,
                         int points, int tile, int gamma_tile) {
    EQ_SHARED(table);
    const int pairs = size / 2 + 1, waves = 2 * band - 1;
    const Spot spot(points, (pairs + tile - 1) / tile);
    const bool inside = spot.at < total;
    const Field field(size, inner, spot.at);
    const Masks masks{zero, negative};
    const int first = spot.tile * tile, count = first + tile < pairs ? tile : pairs - first;
    // y[alpha, -alpha][wave in gamma][point], with a gap for runs to lie in banks of their own.
    T* const y = table + 2 * band * gamma_tile + spot.point;
    const int mirrored = waves * points + points / 8;

    stage(table, {alpha, band, true}, false, band, first, pairs, tile);
    __syncthreads();
    spot.for_runs(inside ? band : 0, count, [&](int k, int start) {  // waves 2k, 2k + 1 in gamma
        const bool two = 2 * k + 1 < waves;
        const T* const from = z + i64(2 * k) * waves * total + spot.at;
        T even[2][kRun], odd[2][kRun];
        sum_waves(table + start, tile, band, from, two ? from + waves * total : from, total, even, odd);
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            T* const to = y + 2 * start * mirrored + (2 * k + i) * points;
#pragma unroll
            for (int r = 0; r < kRun; ++r) {
                if ((i && !two) || start + r >= count) break;
                to[2 * r * mirrored] = even[i][r] + odd[i][r];
                to[(2 * r + 1) * mirrored] = even[i][r] - odd[i][r];
            }
        }
    });
    __syncthreads();
    for (int g = 0; g < pairs; g += gamma_tile) {
        stage(table, {gamma, band, false}, false, band, g, pairs, gamma_tile);
        __syncthreads();
        const int length = g + gamma_tile < pairs ? gamma_tile : pairs - g;
        spot.for_runs(inside ? count : 0, length, [&](int pair, int start) {
            const T* const from = y + 2 * pair * mirrored;
            T even[2][kRun], odd[2][kRun];
            sum_waves(table + start, gamma_tile, band, from, from + mirrored, points, even, odd);
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                if (i && field.alone(first + pair)) break;
                const i64 angle = i ? field.mirror(first + pair) : first + pair;
#pragma unroll
                for (int r = 0; r < kRun; ++r) {
                    if (start + r >= length) break;
                    const i64 at = g + start + r;
                    masks.write(signal, field, angle, at, even[i][r] + odd[i][r]);
                    if (field.alone(at)) continue;
                    masks.write(signal, field, angle, size - at, even[i][r] - odd[i][r]);
                }
            }
        });
        __syncthreads();
    }
}

// `tile` orders in gamma, `alpha_tile` in alpha at a time.
EQ_KERNEL(so3_find_waves)(const T* signal, const T* alpha, const T* gamma, const unsigned char* zero,
                          T* z, int band, i64 size, i64 inner, i64 total, int points, int tile,
                          int alpha_tile) {
    EQ_SHARED(table);
    const int pairs = size / 2 + 1, waves = 2 * band - 1;
    const Spot spot(points, (band + tile - 1) / tile);
    const bool inside = spot.at < total;
    const Field field(size, inner, spot.at);
    const Masks masks{zero, nullptr};
    const int first = spot.tile * tile, count = first + tile < band ? tile : band - first;
    // The sum and the difference of alpha and -alpha, y[pair][sum, difference][order][cos, sin][point],
    // with a gap behind each order for runs to lie in banks of their own.
    T* const y = table + 2 * pairs * alpha_tile + spot.point;
    const int order = 2 * points + points / 4, difference = tile * order;

    stage(table, {gamma, band, false}, true, pairs, first, band, tile);
    __syncthreads();
    spot.for_runs(inside ? pairs : 0, count, [&](int pair, int start) {
        const i64 angle[2] = {pair, field.mirror(pair)};
        T c[2][kRun] = {}, s[2][kRun] = {};
        const auto take = [&](int j, T* e, T* o) {
            const i64 here = j, there = field.mirror(j);
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const T a = masks.read(signal, field, angle[i], here);
                const T b = masks.read(signal, field, angle[i], there);
                e[i] = here == there ? a : a + b;
                o[i] = a - b;
            }
        };
        find_waves(table + start, tile, pairs, take, c, s);
        const bool alone = field.alone(pair);
        T* to = y + 2 * pair * difference + start * order;
#pragma unroll
        for (int r = 0; r < kRun; ++r, to += order) {
            if (start + r >= count) break;
            to[0] = alone ? c[0][r] : c[0][r] + c[1][r];
            to[points] = alone ? s[0][r] : s[0][r] + s[1][r];
            to[difference] = c[0][r] - c[1][r];
            to[difference + points] = s[0][r] - s[1][r];
        }
    });
    __syncthreads();
    for (int m0 = 0; m0 < band; m0 += alpha_tile) {
        stage(table, {alpha, band, true}, true, pairs, m0, band, alpha_tile);
        __syncthreads();
        const int length = m0 + alpha_tile < band ? alpha_tile : band - m0;
        spot.for_runs(inside ? count : 0, length, [&](int k, int start) {
            const T* const from = y + k * order;
            T c[2][kRun] = {}, s[2][kRun] = {};
            const auto take = [&](int j, T* e, T* o) {
                const T* const sum = from + 2 * j * difference;
                e[0] = sum[0], e[1] = sum[points];
                o[0] = sum[difference], o[1] = sum[difference + points];
            };
            find_waves(table + start, alpha_tile, pairs, take, c, s);
            const int n = first + k;
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                T* const to = z + i64(n ? 2 * n - 1 + i : 0) * waves * total + spot.at;
#pragma unroll
                for (int r = 0; r < kRun; ++r) {
                    const int m = m0 + start + r;
                    if ((i && !n) || start + r >= length) break;
                    to[(m ? 2 * m - 1 : 0) * total] = c[i][r];
                    if (m) to[2 * m * total] = s[i][r];
                }
            }
        });
        __syncthreads();
    }
}
