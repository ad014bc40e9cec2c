"""Vision models for references.py: torchvision's families, made small, and hand-written ones for what those lack."""

import torch
import torch.nn.functional as F
import torchvision.models as zoo
from torch import nn
from torch.onnx import TrainingMode
from torchvision.models.convnext import CNBlockConfig

from reference_model import images, maps

BATCH = {"input": {0: "batch"}, "logits": {0: "batch"}}
ANY_SIZE = {"input": {0: "batch", 2: "height", 3: "width"}, "logits": {0: "batch"}}


def conv(inputs, outputs, kernel=3, stride=1, groups=1, activation=nn.SiLU):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs), activation())


class Pooled(nn.Module):
    """Makes logits of a model that gives maps."""

    def __init__(self, body, channels, classes=10):
        super().__init__()
        self.body, self.head = body, nn.Linear(channels, classes)

    def forward(self, x):
        return self.head(self.body(x).mean(dim=(2, 3)))


class UNet(nn.Module):
    """Skips by concatenation; one way up by a transposed convolution, one by bilinear resizing."""

    def __init__(self, resize):
        super().__init__()
        self.down1, self.down2, self.bottom = conv(3, 8, activation=nn.ReLU), conv(8, 16, activation=nn.ELU), conv(16, 24, activation=nn.LeakyReLU)
        self.up2 = nn.ConvTranspose2d(24, 16, 2, 2)
        self.up1 = nn.ConvTranspose2d(16, 8, 3, 2, padding=1, output_padding=1, groups=2)
        self.merge2, self.merge1 = conv(32, 16, activation=nn.PReLU), conv(16 if not resize else 24, 8, activation=nn.Hardswish)
        self.resize = resize

    def forward(self, x):
        first = self.down1(x)
        second = self.down2(F.max_pool2d(first, 2))
        up = self.merge2(torch.cat([self.up2(self.bottom(F.avg_pool2d(second, 2))), second], 1))
        up = F.interpolate(up, size=first.shape[-2:], mode="bilinear", align_corners=self.resize == "corners") if self.resize else self.up1(up)
        return self.merge1(torch.cat([up, first], 1))


class Yolo(nn.Module):
    """SiLU, cross-stage concatenation, SPPF, nearest upsampling, Focus slicing."""

    def __init__(self):
        super().__init__()
        self.stem, self.second = conv(12, 8), conv(8, 16, stride=2)
        self.left, self.right, self.inner, self.join = conv(16, 8, 1), conv(16, 8, 1), conv(4, 4), conv(20, 16, 1)
        self.deep, self.pool_in, self.pool_out = conv(16, 24, stride=2), conv(24, 8, 1), conv(32, 16, 1)
        self.neck, self.detect = conv(32, 16), nn.ModuleList([nn.Conv2d(16, 10, 1), nn.Conv2d(16, 10, 1)])

    def forward(self, x):
        x = torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1)
        x = self.second(self.stem(x))
        left, parts = self.left(x), list(self.right(x).chunk(2, 1))
        parts.append(self.inner(parts[-1]) + parts[-1])
        x = self.join(torch.cat([left] + parts, 1))
        deep = self.pool_in(self.deep(x))
        pools = [deep]
        for _ in range(3):
            pools.append(F.max_pool2d(pools[-1], 5, 1, 2))
        deep = self.pool_out(torch.cat(pools, 1))
        fine = self.neck(torch.cat([F.interpolate(deep, scale_factor=2.0, mode="nearest"), x], 1))
        maps = [detect(m).flatten(2) for detect, m in zip(self.detect, (fine, deep))]
        return torch.cat(maps, 2).sigmoid().mul(2).pow(2).mean(2) * 3


class Mixer(nn.Module):
    """An MLP-Mixer: linear layers over transposed axes."""

    def __init__(self, patches=16, width=24):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 8, 8)
        self.blocks = nn.ModuleList([nn.ModuleList([
            nn.LayerNorm(width), nn.Sequential(nn.Linear(patches, 20), nn.GELU(), nn.Linear(20, patches)),
            nn.LayerNorm(width), nn.Sequential(nn.Linear(width, 40), nn.GELU(), nn.Linear(40, width))]) for _ in range(2)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2)
        for norm1, mix, norm2, feed in self.blocks:
            x = x + mix(norm1(x).transpose(1, 2)).transpose(1, 2)
            x = x + feed(norm2(x))
        return self.head(self.norm(x).mean(1))


class Shapes(nn.Module):
    """Convolutions of unusual geometry."""

    def __init__(self):
        super().__init__()
        self.same = nn.Conv2d(3, 8, (4, 2), padding=(2, 1))
        self.dilated = nn.Conv2d(8, 8, 3, padding=2, dilation=2)
        self.depthwise = nn.Conv2d(8, 16, 3, stride=(2, 3), padding=(1, 0), groups=8)
        self.reflect = nn.Conv2d(16, 12, 3, padding=1, padding_mode="reflect")
        self.plain = nn.Conv2d(12, 8, 3, padding=1)
        self.up = nn.ConvTranspose2d(8, 6, 3, stride=2, dilation=2, padding=1)
        self.shuffle, self.last = nn.PixelShuffle(2), nn.Conv2d(2, 4, (1, 5), stride=2)
        self.norm, self.head = nn.InstanceNorm2d(6, affine=True), nn.Linear(4, 10)

    def forward(self, x):
        x = F.mish(self.dilated(F.pad(self.same(x), (1, 0, 2, 1))))
        x = F.hardsigmoid(self.depthwise(x)) + 0.1
        x = F.selu(self.plain(self.reflect(x)))
        x = F.softplus(self.norm(self.up(x)))
        x = self.shuffle(F.pad(x, (0, 0, 0, 0, 0, 2))[:, :8])
        return self.head(F.avg_pool2d(self.last(F.relu6(x)), 3, 2, 1, ceil_mode=True, count_include_pad=False).flatten(2).sum(2))


class Volume(nn.Module):
    """Three-dimensional convolutions and pools."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv3d(2, 6, 3, padding=1, bias=False), nn.Conv3d(6, 8, (1, 3, 3), stride=(1, 2, 2), groups=2)
        self.norm, self.up, self.head = nn.BatchNorm3d(6), nn.ConvTranspose3d(8, 4, 2, 2), nn.Linear(4, 10)

    def forward(self, x):
        x = F.max_pool3d(F.relu(self.norm(self.a(x))), 2)
        return self.head(F.avg_pool3d(self.up(torch.tanh(self.b(x))), 2).mean((2, 3, 4)))


def vgg():
    model = zoo.vgg.VGG(zoo.vgg.make_layers([8, "M", 16, 16, "M", 24, "M"], batch_norm=True), num_classes=10)
    model.avgpool, model.classifier = nn.AdaptiveAvgPool2d(2), nn.Sequential(nn.Linear(96, 48), nn.ReLU(True), nn.Dropout(), nn.Linear(48, 10))
    return model


def regnet(squeeze):
    return zoo.RegNet(zoo.regnet.BlockParams.from_init_params(8, 16, 9, 2.2, 8, se_ratio=squeeze), num_classes=10, stem_width=8)


def convnext():
    model = zoo.ConvNeXt([CNBlockConfig(12, 24, 2), CNBlockConfig(24, 32, 2), CNBlockConfig(32, None, 1)], num_classes=10, stochastic_depth_prob=0.1)
    for name, value in model.named_parameters():
        if name.endswith("layer_scale"):
            nn.init.uniform_(value, 0.2, 1)
    return model


def swin():
    return zoo.SwinTransformer(patch_size=[2, 2], embed_dim=12, depths=[2, 2], num_heads=[2, 4], window_size=[4, 4], num_classes=10)


def vit():
    model = zoo.VisionTransformer(image_size=32, patch_size=8, num_layers=2, num_heads=3, hidden_dim=24, mlp_dim=48, num_classes=10)
    nn.init.normal_(model.heads.head.weight, std=0.2)
    return model


def maxvit():
    return zoo.MaxVit(
        input_size=(64, 64), stem_channels=8, partition_size=4, block_channels=[8, 16], block_layers=[1, 1], head_dim=4,
        stochastic_depth_prob=0.1, num_classes=10)


def segmentation():
    model = zoo.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=10)

    class Maps(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model(x)["out"].mean((2, 3))

    return Maps()


RAW = dict(training=TrainingMode.PRESERVE, do_constant_folding=False)
MODELS = {
    "resnet18": lambda: images(zoo.resnet18(num_classes=10), (3, 64, 64), opset=11, dynamic=BATCH),
    "resnet18_unfolded": lambda: images(zoo.resnet18(num_classes=10), (3, 64, 64), opset=13, options=RAW),
    "resnet_bottleneck": lambda: images(zoo.ResNet(zoo.resnet.Bottleneck, [1, 1, 1, 1], num_classes=10, width_per_group=16), (3, 48, 48), opset=17),
    "resnext": lambda: images(zoo.ResNet(zoo.resnet.Bottleneck, [1, 1, 1, 1], num_classes=10, groups=8, width_per_group=4), (3, 48, 48), dynamic=ANY_SIZE),
    "densenet": lambda: images(zoo.DenseNet(8, (2, 3, 2), 16, num_classes=10), (3, 64, 64), opset=13),
    "inception_v3": lambda: images(zoo.inception_v3(num_classes=10, aux_logits=False, init_weights=False), (3, 80, 80), count=1),
    "shufflenet_v2": lambda: images(zoo.shufflenet_v2_x0_5(num_classes=10), (3, 64, 64), dynamic=ANY_SIZE),
    "mobilenet_v2": lambda: images(zoo.MobileNetV2(num_classes=10, width_mult=0.35), (3, 64, 64), opset=17, dynamic=BATCH),
    "mobilenet_v3": lambda: images(zoo.mobilenet_v3_small(num_classes=10), (3, 64, 64), opset=15, options=RAW),
    "efficientnet_b0": lambda: images(zoo.efficientnet_b0(num_classes=10), (3, 64, 64), opset=11, count=2),
    "efficientnet_v2": lambda: images(zoo.efficientnet_v2_s(num_classes=10), (3, 48, 48), count=2),
    "regnet_x": lambda: images(regnet(None), (3, 48, 48)),
    "regnet_y": lambda: images(regnet(0.25), (3, 48, 48), opset=17),
    "mnasnet": lambda: images(zoo.mnasnet0_5(num_classes=10), (3, 64, 64)),
    "vgg": lambda: images(vgg(), (3, 32, 32), opset=9),
    "convnext": lambda: images(convnext(), (3, 32, 32), opset=17),
    "convnext_primitive": lambda: images(convnext(), (3, 32, 32), opset=11, dynamic=ANY_SIZE),
    "swin": lambda: images(swin(), (3, 32, 32), opset=13),
    "swin_dynamic": lambda: images(swin(), (3, 32, 32), opset=17, dynamic=BATCH),
    "vit": lambda: images(vit(), (3, 32, 32), opset=17, dynamic=BATCH),
    "vit_primitive": lambda: images(vit(), (3, 32, 32), opset=12),
    "maxvit": lambda: images(maxvit(), (3, 64, 64), opset=16),
    "r3d": lambda: images(zoo.video.r3d_18(num_classes=10), (3, 4, 24, 24), count=2),
    "r2plus1d": lambda: images(zoo.video.r2plus1d_18(num_classes=10), (3, 4, 24, 24), count=2, options=RAW),
    "lraspp": lambda: images(segmentation(), (3, 64, 64), count=2),
    "unet_transposed": lambda: images(Pooled(UNet(None), 8), (3, 32, 32), opset=13),
    "unet_bilinear": lambda: images(Pooled(UNet("half"), 8), (3, 32, 32), opset=13, dynamic=ANY_SIZE),
    "unet_corners": lambda: images(Pooled(UNet("corners"), 8), (3, 32, 32), opset=11),
    "unet_maps": lambda: maps(nn.Sequential(UNet("half"), nn.Conv2d(8, 10, 1)), (3, 16, 16), opset=16),
    "yolo": lambda: images(Yolo(), (3, 64, 64), opset=12, dynamic=ANY_SIZE),
    "mixer": lambda: images(Mixer(), (3, 32, 32), opset=17),
    "shapes": lambda: images(Shapes(), (3, 20, 26), opset=14),
    "volume": lambda: images(Volume(), (2, 8, 12, 12), opset=13),
}
