"""Rotated MNIST: turned digits, networks of equal size, and a training from end to end."""

import math

import pytest
import torch

from examples.common.digits import Dataset, Digits
from examples.common.training import parameter_count
from examples.rotated_mnist.__main__ import main
from examples.rotated_mnist.data import FINE, rotate, samples, train_angles, turned
from examples.rotated_mnist.models import NETWORKS


def test_a_quarter_turn_is_exact(generator):
    images = torch.rand(2, 1, 28, 28, dtype=torch.float64, generator=generator)
    quarter = torch.full((2,), math.pi / 2, dtype=torch.float64)
    for fine, mode in ((1, "bilinear"), (1, "bicubic")):
        turned = rotate(images, quarter, fine, mode)
        torch.testing.assert_close(turned, torch.rot90(images, 1, (-2, -1)), atol=1e-9, rtol=0)


def blob(angle: float) -> torch.Tensor:
    """A smooth picture, turned by evaluating it where it came from."""
    offset = torch.arange(28, dtype=torch.float64) - 13.5
    down, right = torch.meshgrid(offset, offset, indexing="ij")
    x = math.cos(angle) * right - math.sin(angle) * down
    y = -math.sin(angle) * right - math.cos(angle) * down
    return torch.exp(-((x - 3) ** 2 + (y + 2) ** 2 / 2) / 20)[None, None]


@pytest.mark.parametrize(("fine", "mode"), [(1, "bicubic"), (FINE, "bilinear")])
def test_pictures_turn_counterclockwise(fine, mode):
    found = rotate(blob(0.0), torch.tensor([0.7], dtype=torch.float64), fine, mode)
    assert (found - blob(0.7)).abs().max() < 0.03
    assert (found - blob(-0.7)).abs().max() > 0.1


def test_every_digit_is_turned_by_an_angle_of_its_own():
    """A turn keeps the ink, and pictures that were equal no longer are."""
    images = (255 * blob(0.0)[0]).to(torch.uint8).expand(6, 28, 28).clone()
    digits = Digits(images, torch.arange(6))
    dataset = turned(Dataset("blobs", digits, digits))
    assert dataset.name == "blobs, turned" and torch.equal(dataset.test.labels, digits.labels)
    found = torch.cat([dataset.train.images, dataset.test.images]).double()
    assert ((found.sum((1, 2)) / images[0].double().sum() - 1).abs() < 0.02).all()
    assert torch.pdist(found.flatten(1)).min() > 50
    again = turned(Dataset("blobs", digits, digits))
    assert again.fingerprint() == dataset.fingerprint()


def test_augmentation_is_a_function_of_seed_and_epoch(generator):
    images = torch.randint(256, (5, 28, 28), dtype=torch.uint8, generator=generator)
    digits = Digits(images, torch.arange(5))
    some = torch.tensor([3, 1])
    plain, labels = samples(digits).make(some, 0)
    assert torch.equal(plain, images[some][:, None] / 255) and labels.tolist() == [3, 1]
    augmented = samples(digits, augment_seed=4)
    one, same, other = (augmented.make(some, epoch)[0] for epoch in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    angles = train_angles(5, 4, 1)
    assert torch.equal(one, rotate(plain, angles[some], mode="bicubic"))


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "resnet"])
def test_networks_are_of_one_size(name):
    """As many parameters as the plain network, within 2 %, and at most 200,000."""
    parameters = parameter_count(NETWORKS[name]())
    assert parameters <= 200_000
    assert parameters == pytest.approx(parameter_count(NETWORKS["plain"]()), rel=0.02)


@pytest.mark.parametrize("name", NETWORKS)
def test_scores_do_not_change_under_a_quarter_turn(name, generator):
    torch.manual_seed(0)
    network = NETWORKS[name]().double().eval()
    pictures = torch.rand(2, 1, 28, 28, dtype=torch.float64, generator=generator)
    scores = network(pictures)
    error = (network(torch.rot90(pictures, 1, (-2, -1))) - scores).abs().max() / scores.std()
    if name == "plain":
        assert error > 1e-3  # the test can fail
    else:
        assert error < 1e-10


def test_command_line(digits_file, tmp_path, capsys, refused):
    data = ["--data", str(digits_file), "--limit", "16", "--limit-test", "10"]
    for network, extra in (("C8", ["--augment"]), ("plain", [])):
        out = ["--out", str(tmp_path / network)]
        main(["train", *data, "--network", network, "--epochs", "1", "--batch", "8", *out, *extra])
    assert "C8, " in capsys.readouterr().out
    names = {path.name for path in (tmp_path / "C8").iterdir()}
    assert {"result.json", "curves.png", "confusion.png"} < names
    main(["table", str(tmp_path)])
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 4
    row = [cell.strip() for cell in table[2].strip("|").split("|")]
    assert (row[0], row[2:5]) == ("C8", ["digits.npz 16+10", "yes", "1"])
    assert 0 <= float(row[-1]) <= 100
    main(["figure", *data, str(tmp_path), "--run", str(tmp_path / "C8")])
    assert (tmp_path / "errors.png").stat().st_size > 5_000
    assert (tmp_path / "C8" / "wrong.png").stat().st_size > 3_000
    with refused("other settings"):
        main(["train", *data, "--epochs", "2", "--out", str(tmp_path / "C8")])
