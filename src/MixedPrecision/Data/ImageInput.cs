using System.Buffers;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Data;

/// <summary>The one input of a model that takes images, and how an image becomes its value.</summary>
internal sealed class ImageInput
{
    private readonly ImagePolicy policy;
    private readonly InputDeclaration input;
    private readonly bool channelsLast;
    private readonly int channels;
    private readonly int? height;
    private readonly int? width;
    private readonly int batch;

    /// <exception cref="MixedPrecisionException">MPB3013: the model takes more than an image, or none.</exception>
    public ImageInput(IReadOnlyList<InputDeclaration> inputs, ImagePolicy policy, string folder)
    {
        this.policy = policy;
        input = inputs.Count == 1 && inputs[0].Type.Rank is null or 3 or 4 ? inputs[0]
            : throw Errors.DataInputsNotGiven(folder, "a folder of images", "one input of [batch, channels, height, width]", [.. inputs.Select(i => $"{i.Name}: {i.Type}")]);
        IReadOnlyList<Dimension> shape = input.Type.Shape ?? [Dimension.Unknown, Dimension.Unknown, Dimension.Unknown, Dimension.Unknown];
        batch = shape.Count == 4 ? (int)(Positive(shape[0]) ?? 1) : 0;
        Dimension[] image = [.. shape.TakeLast(3)];
        channelsLast = policy.Layout is { } layout ? layout == ImageLayout.ChannelsLast : !IsChannels(image[0]) && IsChannels(image[2]);
        Dimension channelAxis = image[channelsLast ? 2 : 0];
        channels = (int)(Positive(channelAxis) ?? 3);
        if (channels is not (1 or 3))
            throw Errors.DataInputsNotGiven(folder, "a folder of images", "an input of 1 or 3 channels", [$"{input.Name}: {input.Type}"]);
        height = (int?)Positive(image[channelsLast ? 0 : 1]);
        width = (int?)Positive(image[channelsLast ? 1 : 2]);
    }

    public string Name => input.Name;

    /// <summary>The value of an image's file, batch axis included.</summary>
    public Tensor Read(string path, Place place)
    {
        Image image = Fit(Image.Read(path, place, channels), place);
        int pixels = image.Height * image.Width;
        double scale = policy.Scale ?? (ElementType.IsFloating(input.Type.ElementType) ? 1 / 255.0 : 1);
        var values = new double[pixels * channels];
        for (int channel = 0; channel < channels; channel++)
        {
            int source = policy.Channels == ChannelOrder.Bgr ? channels - 1 - channel : channel;
            double mean = Of(policy.Mean, channel), deviation = Of(policy.Deviation, channel);
            for (int pixel = 0; pixel < pixels; pixel++)
                values[channelsLast ? (pixel * channels) + channel : (channel * pixels) + pixel] = ((image.Values[(pixel * channels) + source] * scale) - mean) / deviation;
        }

        long[] shape = channelsLast ? [image.Height, image.Width, channels] : [channels, image.Height, image.Width];
        byte[] one = Write(values, place);
        return new Tensor(input.Type.ElementType, batch == 0 ? shape : [batch, .. shape], batch <= 1 ? one : [.. Enumerable.Repeat(one, batch).SelectMany(b => b)]);
    }

    /// <summary>Resizes and crops: as the policy says, and otherwise so that the middle of the image fills what the model wants.</summary>
    private Image Fit(Image image, Place place)
    {
        (int? wantedHeight, int? wantedWidth) = (height, width);
        if (policy.Crop is { } crop)
            (wantedHeight, wantedWidth) = (crop[0], crop[^1]);
        if (policy.Resize is { Count: 2 } exact)
        {
            image = image.Resize(exact[0], exact[1]);
        }
        else
        {
            double? ratio = policy.Resize is [int side] ? (double)side / Math.Min(image.Height, image.Width)
                : policy.Crop is null && wantedHeight is int h && wantedWidth is int w ? Math.Max((double)h / image.Height, (double)w / image.Width)
                : null;
            if (ratio is double r)
                image = image.Resize(Math.Max(1, (int)Math.Round(image.Height * r)), Math.Max(1, (int)Math.Round(image.Width * r)));
        }

        (int toHeight, int toWidth) = (wantedHeight ?? image.Height, wantedWidth ?? image.Width);
        return toHeight <= image.Height && toWidth <= image.Width ? image.Crop(toHeight, toWidth)
            : throw Errors.DataImageInvalid(place, $"it has {image.Height} × {image.Width} pixels when resized, and {toHeight} × {toWidth} are to be cut out; raise images.resize, or lower images.crop");
    }

    private byte[] Write(double[] values, Place place)
    {
        if (input.Type.ElementType == ElementType.Float)
            return Tensor.Of<float>([.. values.Select(v => (float)v)], values.Length).Bytes.ToArray();
        bool isFloating = ElementType.IsFloating(input.Type.ElementType);
        var output = new ArrayBufferWriter<byte>(values.Length * 8);
        foreach (double value in values)
        {
            Element element = isFloating ? Element.OfReal(value) : Element.OfInteger((Int128)Math.Round(value));
            if (!ElementWriter.TryWrite(element, input.Type.ElementType, output))
                throw Errors.DataWrongType(place, input.Name, element.ToString(), ElementWriter.Expected(input.Type.ElementType) + "; see images.scale, images.mean and images.deviation");
        }

        return output.WrittenSpan.ToArray();
    }

    private static double Of(IReadOnlyList<double> numbers, int channel) => numbers[Math.Min(channel, numbers.Count - 1)];

    private static bool IsChannels(Dimension dimension) => dimension.Size is 1 or 3;

    private static long? Positive(Dimension dimension) => dimension.Size is > 0 and long size ? size : null;
}
