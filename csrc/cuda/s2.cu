// Real fields on the sphere, between spectra and Fourier coefficients over alpha; the sums are those of
// cpu/s2.cpp and equinet/ops/s2.py. Each order m has products of its own, with rows of angles beta or of
// degrees and columns with four numbers: P and Q, real and imaginary. A block of 16 x 16 threads makes
// a tile of 64 x 64, each thread 4 rows of one column, as in block_matmul.cu.

struct Sphere {
    i64 band, rings, waves, order, channels, batch, chunk;  // orders in memory, in a chunk of the table
    __device__ i64 columns() const { return channels * batch; }
    __device__ i64 line() const { return 2 * waves; }  // numbers for each ring in memory
    __device__ i64 half() const { return (rings + 1) / 2; }  // of the rings, with the equator
    __device__ i64 points() const { return order ? rings : half(); }
    __device__ i64 lowest(i64 m) const { return m > order ? m : order; }
    __device__ i64 degrees(i64 m) const { return m < band ? band - lowest(m) : 0; }
    // Of the coefficient (l, m, n), n = 0 or +-order, in a spectrum.
    __device__ i64 row(i64 l, i64 m, i64 n) const {
        return order ? 2 * (l * l - order * order + l + m) + (n > 0) : l * l + l + m;
    }
    // Where the lowest degree at m starts in the table.
    __device__ i64 entry(i64 m) const {
        i64 at = 0, m0 = 0;
        for (; m0 + chunk <= m; m0 += chunk) at += chunk * degrees(m0) * points();
        return at + ((m - m0) * degrees(m0) + lowest(m) - lowest(m0)) * points();
    }
    // Where the first part of a column has its orders m at angle number j.
    __device__ i64 wave(i64 column, i64 j, i64 m) const {
        const i64 place = column % batch * channels + column / batch;
        return (place * (order ? 2 : 1) * rings + j) * line() + 2 * m;
    }
    __device__ T sign(i64 l, i64 m) const { return (l + m + order) % 2 ? T(-1) : T(1); }
};

// The amplitudes of degree l in P and in Q.
__device__ inline void amplitudes(const Sphere& s, const T* spectrum, T factor, i64 l, i64 m, i64 column,
                                  T f[4]) {
    const i64 n = s.order;
    const auto at = [&](i64 a, i64 b) {
        return factor * spectrum[s.row(l, a, b) * s.columns() + column];
    };
    const T pp = at(m, n), mp = m ? at(-m, n) : T(0);
    if (!n) {
        f[0] = pp, f[1] = -mp;
        f[2] = s.sign(l, m) * pp, f[3] = -s.sign(l, m) * mp;
        return;
    }
    const T mm = m ? at(-m, -n) : T(0), pm = at(m, -n);
    f[0] = pp + mm, f[1] = pm - mp;
    f[2] = s.sign(l, m) * (pp - mm), f[3] = -s.sign(l, m) * (mp + pm);
}

__device__ inline void set_coefficients(const Sphere& s, T* spectrum, T factor, i64 l, i64 m,
                                        i64 column, const T f[4]) {
    const i64 n = s.order;
    const auto at = [&](i64 a, i64 b) -> T& { return spectrum[s.row(l, a, b) * s.columns() + column]; };
    const T other = factor * s.sign(l, m);
    const T a = factor * f[0], b = factor * f[1], e = other * f[2], g = other * f[3];
    at(m, n) = a + e;
    if (m) at(-m, n) = -b - g;
    if (n) at(m, -n) = b - g;
    if (n && m) at(-m, -n) = a - e;
}

// What P and Q, mirrored to angle number j of the table, are told by the Fourier coefficients.
// The equator is its own image, and without an order counts once.
__device__ inline void gather_waves(const Sphere& s, const T* waves, const T* by_ring, i64 j, i64 m,
                                    i64 column, T f[4]) {
    const i64 mirror = s.rings - 1 - j;
    const T* here = waves + s.wave(column, j, m);
    const T* there = waves + s.wave(column, mirror, m);
    f[0] = here[0], f[1] = here[1], f[2] = there[0], f[3] = there[1];
    if (s.order) {
        const i64 part = s.rings * s.line();  // X^c - i X^s, X^c + i X^s
        f[0] += here[part + 1], f[1] -= here[part];
        f[2] -= there[part + 1], f[3] += there[part];
    }
    const T x = by_ring[j], y = s.order || j != mirror ? by_ring[mirror] : T(0);
    f[0] *= x, f[1] *= x, f[2] *= y, f[3] *= y;
}

// X at angle number j, or X^c and X^s, from P there and Q at its mirror image.
__device__ inline void set_wave(const Sphere& s, T* waves, const T* by_ring, i64 j, i64 m, i64 column,
                                const T p[2], const T q[2]) {
    T* here = waves + s.wave(column, j, m);
    const T x = by_ring[j];
    here[0] = x * (p[0] + q[0]), here[1] = x * (p[1] + q[1]);
    if (!s.order) return;
    here += s.rings * s.line();
    here[0] = x * (q[1] - p[1]), here[1] = x * (p[0] - q[0]);
}

// A real inverse Fourier transform counts every m > 0 twice: with `halve` the amplitudes are halved.
EQ_KERNEL(s2_transform)(int mode, const T* left, const T* d, const T* by_degree, const T* by_ring, T* out,
                        i64 halve, i64 band, i64 rings, i64 waves, i64 order, i64 channels, i64 batch,
                        i64 chunk) {
    __shared__ T a[kDepth][kTile + 1], b[kDepth][kTile + 1];
    const Sphere s{band, rings, waves, order, channels, batch, chunk};
    const bool analysis = mode == 1;
    const i64 m = blockIdx.y, degrees = s.degrees(m), points = s.points(), half = s.half();
    const T factor = halve && m ? T(0.5) : T(1);
    const i64 across = (s.columns() + kSide - 1) / kSide;
    const i64 tile = blockIdx.x / across, j0 = blockIdx.x % across * kSide;
    const int thread = threadIdx.x, row = thread / kSide, column = thread % kSide;
    // Number of row i of the tile, -1 if there is none. With mirrored angles in its second half each
    // thread has P and Q of both.
    const auto number = [&](int i) -> i64 {
        const i64 at = analysis || !order ? tile * kTile + i : tile * (kTile / 2) + i % (kTile / 2);
        if (at >= (analysis ? degrees : half)) return -1;
        return !analysis && order && i >= kTile / 2 ? rings - 1 - at : at;
    };
    const T* table = degrees ? d + s.entry(m) : d;
    const i64 depth = analysis ? points : degrees;
    T sum[kEach][4] = {};
    for (i64 k0 = 0; k0 < depth; k0 += kDepth) {
        for (int at = thread; at < kTile * kDepth; at += kSide * kSide) {
            const int k = analysis ? at % kDepth : at / kTile, i = analysis ? at / kDepth : at % kTile;
            const i64 where = number(i);
            const i64 entry = analysis ? where * points + k0 + k : (k0 + k) * points + where;
            a[k][i] = where >= 0 && k0 + k < depth ? table[entry] : T(0);
        }
        T f[4] = {};  // kDepth and kSide are the same: each thread reads one column of one step
        if (k0 + row < depth && j0 + column < s.columns()) {
            if (analysis) {
                gather_waves(s, left, by_ring, k0 + row, m, j0 + column, f);
            } else {
                const i64 l = s.lowest(m) + k0 + row;
                amplitudes(s, left, factor * by_degree[l], l, m, j0 + column, f);
            }
        }
#pragma unroll
        for (int t = 0; t < 4; ++t) b[row][column + t * kSide] = f[t];
        __syncthreads();
#pragma unroll
        for (int k = 0; k < kDepth; ++k) {
#pragma unroll
            for (int i = 0; i < kEach; ++i) {
#pragma unroll
                for (int t = 0; t < 4; ++t) {
                    sum[i][t] += a[k][row + i * kSide] * b[k][column + t * kSide];
                }
            }
        }
        __syncthreads();
    }
    if (j0 + column >= s.columns()) return;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
        const i64 at = number(row + i * kSide);
        if (at < 0) continue;
        if (analysis) {
            const i64 l = s.lowest(m) + at;
            set_coefficients(s, out, by_degree[l], l, m, j0 + column, sum[i]);
        } else if (order) {
            set_wave(s, out, by_ring, at, m, j0 + column, sum[i], sum[(i + kEach / 2) % kEach] + 2);
        } else {
            const T none[2] = {};
            set_wave(s, out, by_ring, at, m, j0 + column, sum[i], none);
            if (rings - 1 - at == at) continue;
            set_wave(s, out, by_ring, rings - 1 - at, m, j0 + column, sum[i] + 2, none);
        }
    }
}
