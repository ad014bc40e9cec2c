using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>How images become values of the model's input: (pixel · scale − mean) / deviation, after resizing and cropping.</summary>
/// <param name="Resize">Pixels of the shorter side; or height and width; null: as the model's input needs it.</param>
/// <param name="Crop">Pixels of a square in the centre; or its height and width; null: as the model's input needs it.</param>
/// <param name="Scale">Factor of a pixel from 0 to 255; null: 1/255, and 1 for an input of integers.</param>
/// <param name="Mean">One number, or one a channel in the model's order.</param>
/// <param name="Deviation">One number, or one a channel in the model's order; none is 0.</param>
/// <param name="Channels">Their order.</param>
/// <param name="Layout">Where the channels lie, or null: as the input's shape tells.</param>
/// <param name="Labels">Path of a file of labels as written, or null: names of sub-folders are the classes, in sorted order.</param>
public sealed record ImagePolicy(
    IReadOnlyList<int>? Resize,
    IReadOnlyList<int>? Crop,
    double? Scale,
    IReadOnlyList<double> Mean,
    IReadOnlyList<double> Deviation,
    ChannelOrder Channels,
    ImageLayout? Layout,
    string? Labels)
{
    public static readonly ImagePolicy Default = new(null, null, null, [0], [1], ChannelOrder.Rgb, null, null);

    /// <summary>Reads the section without a policy around it: <c>resize: 256, crop: 224</c>, with or without braces.</summary>
    /// <param name="text">The section.</param>
    /// <param name="source">Where it stands, for messages.</param>
    /// <exception cref="MixedPrecisionException">A key or value is not known, as in a policy.</exception>
    public static ImagePolicy Parse(string text, string source) =>
        PolicyKeys.Images.Read(YamlReader.Parse(source, text.TrimStart().StartsWith('{') ? text : $"{{ {text} }}") ?? new YamlMapping(new Place(source), []), "images");
}

/// <summary>Order of an image's channels.</summary>
public enum ChannelOrder
{
    /// <summary>Red, green, blue.</summary>
    Rgb,

    /// <summary>Blue, green, red.</summary>
    Bgr,
}

/// <summary>Where the channels of an image lie.</summary>
public enum ImageLayout
{
    /// <summary>[batch, channels, height, width].</summary>
    ChannelsFirst,

    /// <summary>[batch, height, width, channels].</summary>
    ChannelsLast,
}

/// <summary>How lines of text become tokens.</summary>
/// <param name="Tokenizer">Path of the tokenizer's file as written: vocab.txt, tokenizer.json or tokenizer.model.</param>
/// <param name="MaxLength">At most so many tokens a line, with those that the tokenizer adds; null: 512, or what the model's input has room for.</param>
/// <param name="Pad">Whether every line is filled up to that length; a model with a fixed length gets that anyway.</param>
/// <param name="Lowercase">Whether text is put in lower case first; null: as the tokenizer's file says (a vocab.txt: yes).</param>
public sealed record TextPolicy(string Tokenizer, int? MaxLength, bool Pad, bool? Lowercase);
