"""The digits of the example, their rotations, and the download."""

import hashlib

import pytest
import torch

from examples.common.download import download
from examples.common.streams import epoch_order
from examples.spherical_mnist.data import (
    CONTRAST,
    MNIST_SHA256,
    fixed_rotations,
    on_sphere,
    projection,
    train_rotations,
)


def test_download_checks_the_content(digits_file, tmp_path):
    target = tmp_path / "new" / "mnist.npz"
    sha256 = hashlib.sha256(digits_file.read_bytes()).hexdigest()
    with pytest.raises(ValueError, match=r"sha256 of mnist\.npz: expected 731c5"):
        download(target, url=digits_file.as_uri(), sha256=MNIST_SHA256)
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
