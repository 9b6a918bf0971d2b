// What a sum over edges is made of: blocks of vectors, paths from them, and the rows that hold them.
//
// Rows are padded: the channels that stand beside each other are a whole number of vectors, so that
// no kernel has a slow end. Where the channels are that already, results are padded as they are.
#pragma once
#include "cpu/columns.h"
#include "cpu/parallel.h"

namespace eq {

template <class T>
constexpr int64_t padded(int64_t count) {
    return (count + lanes<T>() - 1) / lanes<T>() * lanes<T>();
}

// body(Shape<0, vectors>, first channel) for all channels, `most` vectors at a time.
template <class T, int most = kVectors, class Body>
inline void for_channels(int64_t wide, const Body& body) {
    int64_t u = 0;
    for (; u + most * lanes<T>() <= wide; u += most * lanes<T>()) body(Shape<0, most>{}, u);
    for (; u < wide; u += lanes<T>()) body(Shape<0, 1>{}, u);
}

// Vectors in a row of x: (channels, dim) from `start` on, padded (dim, wide) from `at` on.
struct Block {
    int64_t channels, dim, wide, start, at;

    template <class T>
    void pack(const T* row, T* to) const {
        for (int64_t m = 0; m < dim; ++m) {
            T* const line = to + at + m * wide;
            for (int64_t u = 0; u < channels; ++u) line[u] = row[start + u * dim + m];
            for (int64_t u = channels; u < wide; ++u) line[u] = 0;
        }
    }
    template <class T>
    void unpack(const T* from, T* row) const {
        for (int64_t m = 0; m < dim; ++m) {
            const T* const line = from + at + m * wide;
            for (int64_t u = 0; u < channels; ++u) row[start + u * dim + m] = line[u];
        }
    }
};

// Where the channels of a path are in a row of the result: from `first` on, components `line` apart,
// and in each of these features `group` apart.
struct Place {
    int64_t first, line, group;
};

// The channels of a block, turned into vectors of dimension `dim`.
struct Path {
    Block from;
    int64_t dim, kernel;     // the first entry in a row of K
    int64_t column, wide_column;  // the first column of W, and of W with padded columns
    Place plain, place;      // in a row, and in a padded one
};

// The blocks and paths of a plan. Paths that follow each other and end in vectors of one dimension
// share the lines of the result: (dim, features, channels of one after the other).
template <class T>
class Plan {
  public:
    Plan(const int64_t* numbers, int64_t paths, int64_t features)
        : blocks(numbers[0]), paths(paths), features(features), block_(blocks), path_(paths) {
        if (!*this) return;
        const int64_t* n = numbers + 1;
        for (int64_t b = 0; b < blocks; ++b, n += 2) {
            block_.data()[b] = {n[0], n[1], padded<T>(n[0]), x_width, x_row};
            x_width += n[0] * n[1];
            x_row += block(b).wide * n[1];
            widest = block(b).wide > widest ? block(b).wide : widest;
            is_whole = is_whole && block(b).wide == n[0];
        }
        for (int64_t p = 0, q = 0; p < paths; p = q) {
            const int64_t dim = n[2 * p + 1];
            int64_t channels = 0, wide_channels = 0;
            for (; q < paths && n[2 * q + 1] == dim; ++q) {
                const Block& from = block(n[2 * q]);
                path_.data()[q] = {from, dim, entries, columns, wide,
                                   {z_width + channels, 0, 0}, {z_row + wide_channels, 0, 0}};
                entries += dim * from.dim;
                columns += from.channels;
                wide += from.wide;
                channels += from.channels;
                wide_channels += from.wide;
            }
            for (int64_t k = p; k < q; ++k) {
                Path& own = path_.data()[k];
                own.plain = {own.plain.first, features * channels, channels};
                own.place = {own.place.first, features * wide_channels, wide_channels};
            }
            z_width += dim * features * channels;
            z_row += dim * features * wide_channels;
            tallest = dim > tallest ? dim : tallest;
        }
    }
    explicit operator bool() const { return block_ && path_; }
    const Block& block(int64_t b) const { return block_.data()[b]; }
    const Path& path(int64_t p) const { return path_.data()[p]; }

    void pack_x(const T* row, T* to) const {
        for (int64_t b = 0; b < blocks; ++b) block(b).pack(row, to);
    }
    void unpack_x(const T* from, T* row) const {
        for (int64_t b = 0; b < blocks; ++b) block(b).unpack(from, row);
    }
    void pack_z(const T* row, T* to) const {
        for_lines([&](int64_t plain, int64_t at, const Block& from) {
            std::memcpy(to + at, row + plain, from.channels * sizeof(T));
            std::memset(to + at + from.channels, 0, (from.wide - from.channels) * sizeof(T));
        });
    }
    void unpack_z(const T* from, T* row) const {
        for_lines([&](int64_t plain, int64_t at, const Block& block) {
            std::memcpy(row + plain, from + at, block.channels * sizeof(T));
        });
    }
    // body(first column of W, padded, columns, padded width) for every panel of W: as many columns
    // as a kernel takes at a time.
    template <class Body>
    void for_panels(const Body& body) const {
        for (int64_t p = 0; p < paths; ++p) {
            const Path& own = path(p);
            for_channels<T>(own.from.wide, [&](auto shape, int64_t u) {
                constexpr int64_t width = decltype(shape)::vectors * lanes<T>();
                const int64_t left = own.from.channels - u, some = left < width ? left : width;
                body(own.column + u, own.wide_column + u, some, width);
            });
        }
    }

    const int64_t blocks, paths, features;
    int64_t x_width = 0, x_row = 0, z_width = 0, z_row = 0, entries = 0, columns = 0, wide = 0;
    int64_t widest = 0, tallest = 0;
    bool is_whole = true;  // whether results are padded as they are

  private:
    template <class Body>
    void for_lines(const Body& body) const {
        for (int64_t p = 0; p < paths; ++p) {
            const Path& own = path(p);
            for (int64_t n = 0; n < own.dim; ++n) {
                for (int64_t f = 0; f < features; ++f) {
                    body(own.plain.first + n * own.plain.line + f * own.plain.group,
                         own.place.first + n * own.place.line + f * own.place.group, own.from);
                }
            }
        }
    }
    Scratch<Block> block_;
    Scratch<Path> path_;
};

constexpr int64_t kGrain = 1 << 15;  // numbers, for passes over memory

// move(row of `from`, row of `to`) for all rows.
template <class T, class Move>
void move_rows(int64_t rows, const T* from, int64_t from_row, T* to, int64_t to_row,
               const Move& move) {
    parallel(rows, 1 + kGrain / (to_row + 1), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) move(from + i * from_row, to + i * to_row);
    });
}

template <class T>
void zero(T* memory, int64_t count) {
    std::memset(memory, 0, count * sizeof(T));
}

}  // namespace eq
