"""Plain networks as people write them, for ``convert.from_torch``."""

import torch
from torch import nn
from torch.nn import functional as F


def vgg(c=16, classes=7):
    """In a row, of which the end is one mean of the map."""
    return nn.Sequential(
        nn.Conv2d(3, c, 3, padding=1), nn.BatchNorm2d(c), nn.ReLU(inplace=True),
        nn.MaxPool2d(2), nn.Conv2d(c, 2 * c, 3, padding=1), nn.GroupNorm(2, 2 * c), nn.GELU(),
        nn.AvgPool2d(2), nn.Conv2d(2 * c, 2 * c, 5, padding=2, padding_mode="reflect"),
        nn.InstanceNorm2d(2 * c, affine=True), nn.LeakyReLU(0.1), nn.Dropout2d(0.1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * c, 20), nn.BatchNorm1d(20),
        nn.Hardswish(), nn.Dropout(), nn.Linear(20, classes, bias=False),
    )  # fmt: skip


class Block(nn.Module):
    """As torchvision has it."""

    def __init__(self, into, out, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(into, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = None
        if stride > 1 or into != out:
            conv = nn.Conv2d(into, out, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(out))

    def forward(self, x):
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    """A head of 3 x 3, levels of blocks, and a linear layer."""

    def __init__(self, widths=(12, 24), classes=5):
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        blocks = [Block(widths[0], widths[0])]
        blocks += [Block(a, b, 2) for a, b in zip(widths, widths[1:], strict=False)]
        self.layers = nn.Sequential(*blocks)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(widths[-1], classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.avgpool(self.layers(x))
        return self.fc(torch.flatten(x, 1))


def double(into, out, conv=nn.Conv2d, norm=nn.BatchNorm2d):
    return nn.Sequential(
        conv(into, out, 3, padding=1), norm(out), nn.ReLU(inplace=True),
        conv(out, out, 3, padding=1), norm(out), nn.ReLU(inplace=True),
    )  # fmt: skip


class UNet(nn.Module):
    """Two levels, skips that are concatenated, and the padding that makes sizes meet."""

    def __init__(self, into=1, out=2, c=8):
        super().__init__()
        self.enc1, self.enc2, self.middle = double(into, c), double(c, 2 * c), double(2 * c, 4 * c)
        self.pool = nn.MaxPool2d(2)
        self.up2, self.dec2 = nn.ConvTranspose2d(4 * c, 2 * c, 2, 2), double(4 * c, 2 * c)
        self.up1, self.dec1 = nn.Upsample(scale_factor=2, mode="bilinear"), double(3 * c, c)
        self.head = nn.Conv2d(c, out, 1)

    def forward(self, x):
        a = self.enc1(x)
        b = self.enc2(self.pool(a))
        y = self.middle(self.pool(b))
        y = self.dec2(self.joined(self.up2(y), b))
        y = self.dec1(self.joined(self.up1(y), a))
        return self.head(y)

    def joined(self, y, skip):
        dy, dx = skip.size(2) - y.size(2), skip.shape[-1] - y.shape[-1]
        y = F.pad(y, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
        return torch.cat([skip, y], dim=1)


class UNet3d(nn.Module):
    """One level in space, whose skip is added."""

    def __init__(self, into=1, out=1, c=6):
        super().__init__()
        norm, conv = nn.BatchNorm3d, nn.Conv3d
        self.first, self.inner = double(into, c, conv, norm), double(c, c, conv, norm)
        self.down, self.out = nn.AvgPool3d(2), nn.Conv3d(c, out, 3, padding=1)

    def forward(self, x):
        a = self.first(x)
        y = F.interpolate(self.inner(self.down(a)), size=a.shape[2:], mode="trilinear")
        return torch.sigmoid(self.out(F.elu(y + a)))


class Voxels(nn.Module):
    """A classifier of volumes."""

    def __init__(self, c=8, classes=4):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv3d(1, c, 3, padding=1), nn.BatchNorm3d(c), nn.SiLU(), nn.MaxPool3d(2),
            nn.Conv3d(c, 2 * c, 3, padding=1), nn.BatchNorm3d(2 * c), nn.SiLU(),
        )  # fmt: skip
        self.classifier = nn.Linear(2 * c, classes)

    def forward(self, x):
        return self.classifier(self.features(x).mean(dim=(2, 3, 4)))


class Signal(nn.Module):
    """One axis, with a residual block and a maximum over time."""

    def __init__(self, c=16, classes=3):
        super().__init__()
        self.stem = nn.Conv1d(2, c, 7, padding=3)
        self.block = nn.Sequential(
            nn.BatchNorm1d(c), nn.ReLU(), nn.Conv1d(c, c, 3, padding=2, dilation=2),
            nn.BatchNorm1d(c), nn.ReLU(), nn.Conv1d(c, c, 3, padding="same"),
        )  # fmt: skip
        self.fc = nn.Linear(c, classes)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.block(x)
        x = F.adaptive_max_pool1d(x, 1).squeeze(-1)
        return F.log_softmax(self.fc(x), dim=-1)


class Digits(nn.Module):
    """The first example of many tutorials: functions, and positions that are flattened."""

    def __init__(self, c=16):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, c, 3), nn.Conv2d(c, 2 * c, 3)
        self.fc1, self.fc2 = nn.Linear(2 * c * 25, 64), nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.max_pool2d(F.relu(self.conv2(F.dropout(x, 0.2, self.training))), kernel_size=2)
        x = x.view(x.size(0), -1)
        x = F.dropout(F.relu(self.fc1(x)), training=self.training)
        return self.fc2(x)


class SqueezeExcitation(nn.Module):
    def __init__(self, c, hidden):
        super().__init__()
        self.avgpool, self.fc1 = nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, hidden, 1)
        self.fc2, self.activation = nn.Conv2d(hidden, c, 1), nn.ReLU()

    def forward(self, x):
        scale = self.fc2(self.activation(self.fc1(self.avgpool(x))))
        return torch.sigmoid(scale) * x


class SELayer(nn.Module):
    """The same with linear layers and views."""

    def __init__(self, c, reduction):
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(c, c // reduction), nn.SiLU(), nn.Linear(c // reduction, c), nn.Hardsigmoid()
        )

    def forward(self, x):
        b, c, _, _ = x.size()
        y = self.fc(self.avg_pool(x).view(b, c)).view(b, c, 1, 1)
        return x * y.expand_as(x)


class Inverted(nn.Module):
    """An inverted bottleneck: wide, depthwise, weighed, narrow."""

    def __init__(self, c, wide):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(c, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.SiLU(),
            nn.Conv2d(wide, wide, 3, padding=1, groups=wide, bias=False),
            nn.BatchNorm2d(wide), nn.SiLU(), SqueezeExcitation(wide, wide // 4),
            nn.Conv2d(wide, c, 1, bias=False), nn.BatchNorm2d(c),
        )  # fmt: skip

    def forward(self, x):
        return x + self.body(x)


def mobile(c=16, classes=5):
    return nn.Sequential(
        nn.Conv2d(3, c, 3, padding=1), nn.BatchNorm2d(c), nn.SiLU(), Inverted(c, 3 * c),
        nn.Conv2d(c, c, 3, padding=1, groups=4), SELayer(c, 2), Inverted(c, 3 * c),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(c, classes),
    )  # fmt: skip


class DropPath(nn.Module):
    """As timm has it."""

    def __init__(self, drop_prob):
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x):
        return x


class LayerNorm2d(nn.LayerNorm):
    """As torchvision has it."""

    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class NextBlock(nn.Module):
    """A block of ConvNeXt, whose channels stand last within it."""

    def __init__(self, c):
        super().__init__()
        self.dwconv = nn.Conv2d(c, c, 5, padding=2, groups=c)
        self.norm = nn.LayerNorm(c, eps=1e-6)
        self.pwconv1, self.act = nn.Linear(c, 2 * c), nn.GELU()
        self.pwconv2, self.gamma = nn.Linear(2 * c, c), nn.Parameter(0.1 * torch.ones(c))
        self.drop_path = DropPath(0.1)

    def forward(self, x):
        y = self.dwconv(x).permute(0, 2, 3, 1)
        y = self.pwconv2(self.act(self.pwconv1(self.norm(y))))
        y = (self.gamma * y).permute(0, 3, 1, 2)
        return x + self.drop_path(y)


class ConvNext(nn.Module):
    def __init__(self, c=12, classes=4):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, c, 4, 4), LayerNorm2d(c, eps=1e-6))
        self.blocks = nn.Sequential(NextBlock(c), NextBlock(c))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Sequential(LayerNorm2d(c), nn.Flatten(), nn.Linear(c, classes))

    def forward(self, x):
        return self.head(self.pool(self.blocks(self.stem(x))))


class Dense(nn.Module):
    """Every layer sees all that came before it."""

    def __init__(self, c=8, classes=3):
        super().__init__()
        self.stem = nn.Conv2d(1, c, 3, padding=1)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(n * c), nn.ReLU(), nn.Conv2d(n * c, c, 3, padding=1))
            for n in (1, 2, 3)
        )
        self.out = nn.Conv2d(4 * c, classes, 1)

    def forward(self, x):
        maps = [self.stem(x)]
        for layer in self.layers:
            maps.append(layer(torch.cat(maps, 1)))
        return F.adaptive_avg_pool2d(self.out(torch.cat(maps, 1)), 1).flatten(1)


class Mixed(nn.Module):
    """Branches in a row, which are added to a map and subtracted from another."""

    def __init__(self, c=6, classes=4):
        super().__init__()
        self.stem = nn.Conv2d(1, 3 * c, 3, padding=1)
        self.one, self.two = nn.Conv2d(3 * c, c, 1), nn.Conv2d(3 * c, 2 * c, 3, padding=1)
        self.rest, self.down = nn.Conv2d(3 * c, 3 * c, 1), nn.Conv2d(3 * c, 8, 3, stride=2)
        self.act, self.norm = nn.ELU(), nn.BatchNorm2d(3 * c)
        self.head = nn.Linear(8, classes)

    def forward(self, x):
        f = self.act(self.stem(x))
        g = torch.cat([self.one(f), self.two(f)], 1)
        f = self.act(self.norm(g + f)) - self.rest(f) / 2
        f = F.relu(self.down(f)).amax((2, 3), keepdim=True)
        return torch.tanh(self.head(f.squeeze()))


class SuperResolution(nn.Module):
    """A picture of three times the size, from channels that become pixels."""

    def __init__(self, c=16):
        super().__init__()
        self.first, self.last = nn.Conv2d(1, c, 3, padding=1), nn.Conv2d(8, 1, 3, padding=1)
        self.up = nn.Sequential(nn.Conv2d(c, 72, 3, padding=1), nn.PixelShuffle(3), nn.PReLU())

    def forward(self, x):
        enlarged = F.interpolate(x, scale_factor=3, mode="nearest")
        return enlarged + self.last(self.up(F.hardtanh(self.first(x), -2.0, 2.0)))


class Enhance(nn.Module):
    """A residual of the picture itself, with scaled blocks and a mask of one channel."""

    def __init__(self, c=12):
        super().__init__()
        self.head, self.tail = nn.Conv2d(1, c, 3), nn.Conv2d(c, 1, 3)
        self.pad, self.mask = nn.ReflectionPad2d(1), nn.Conv2d(c, 1, 1)
        self.body = nn.Sequential(
            nn.Conv2d(c, c, 3, padding=1), nn.PReLU(c), nn.Conv2d(c, c, 3, padding=1)
        )

    def forward(self, x):
        f = self.head(self.pad(x))
        f = f + 0.1 * self.body(f)
        f = f * torch.sigmoid(self.mask(f))
        return x - self.tail(self.pad(f))
