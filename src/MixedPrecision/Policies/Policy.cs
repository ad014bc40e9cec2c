using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>What the user asks for: one policy file, read and checked, with its defaults filled in.</summary>
/// <param name="File">The policy's path as the user gave it; what diagnostics show.</param>
/// <param name="Folder">Full path of the policy's folder; relative paths in the policy are resolved against it.</param>
/// <param name="Model">The original model's path as written; <see cref="Resolve"/> gives the full path.</param>
/// <param name="Output">File name of the emitted model, or null for the original's name with <c>.mixed.onnx</c>.</param>
/// <param name="Budget">How much worse the emitted model may be, and in which words.</param>
/// <param name="Calibration">Data and loss that sensitivities are taken from.</param>
/// <param name="Evaluation">Held-out data that the emitted model is verified on, or null: the pipeline splits the calibration data.</param>
/// <param name="Formats">Names from <see cref="FormatNames.All"/>, presets expanded, in that order; <c>fp32</c> is always the first.</param>
/// <param name="Objective">What the plan maximizes the gain of.</param>
/// <param name="Scenarios">Input sizes to time; empty: the pipeline derives one from the calibration data.</param>
/// <param name="Layers">Rules that pin layers to a format, in the file's order.</param>
/// <param name="Runtime">How the app runs the model.</param>
public sealed record Policy(
    string File,
    string Folder,
    string Model,
    string? Output,
    BudgetPolicy Budget,
    CalibrationPolicy Calibration,
    EvaluationPolicy? Evaluation,
    IReadOnlyList<string> Formats,
    Objective Objective,
    IReadOnlyList<ScenarioPolicy> Scenarios,
    IReadOnlyList<LayerRule> Layers,
    RuntimePolicy Runtime)
{
    /// <summary>Full path of a path written in the policy; a relative one starts at the policy's folder.</summary>
    public string Resolve(string relative) => Path.GetFullPath(relative, Folder);

    /// <summary>Reads a policy; everything wrong with it is a <see cref="MixedPrecisionException"/> with a code in the range 1xxx.</summary>
    /// <param name="file">Path of the policy, relative to the current folder.</param>
    public static Policy Load(string file)
    {
        string text = YamlReader.ReadFile(file);
        return PolicyReader.Read(file, text, Path.GetDirectoryName(Path.GetFullPath(file))!);
    }

    /// <summary>This policy with another budget.</summary>
    /// <param name="text">The budget as a policy would say it: <c>1%</c>, <c>0.01</c>, or <c>lossIncrease: 1%</c>.</param>
    /// <param name="place">Where the text comes from, for the error.</param>
    public Policy WithBudget(string text, Place place) => this with { Budget = BudgetText.Read(text, "budget", place) };
}

/// <summary>How much worse the emitted model may be.</summary>
/// <param name="Kind">What is measured.</param>
/// <param name="Value">Its greatest value, as a fraction (1 % is 0.01).</param>
public sealed record BudgetPolicy(BudgetKind Kind, double Value)
{
    /// <summary>The kind's key in a policy.</summary>
    public string Key => Kind switch
    {
        BudgetKind.LossError => "lossError",
        BudgetKind.LossIncrease => "lossIncrease",
        _ => "accuracyDrop",
    };

    /// <summary>The budget in the policy's words, such as <c>lossIncrease: 1%</c>.</summary>
    public override string ToString() => FormattableString.Invariant($"{Key}: {Value * 100:0.######}%");
}

/// <summary>What a budget is about.</summary>
public enum BudgetKind
{
    /// <summary>τ: root-mean-square error of the loss over the loss's root mean square.</summary>
    LossError,

    /// <summary>Increase of the mean loss over the original's, relative to it.</summary>
    LossIncrease,

    /// <summary>Share of labels that are hit no more, less those that are hit newly.</summary>
    AccuracyDrop,
}

/// <summary>Data and loss that calibration uses.</summary>
/// <param name="Data">Path of the samples as written, or null: inputs are not given.</param>
/// <param name="Loss">The loss in its short form, or null: <see cref="Losses"/> say it, or without them it is guessed from the model and the data.</param>
/// <param name="Labels">Key of the label within a sample, or null: the data holds none.</param>
/// <param name="Samples">At most so many samples are read, from the start of the data; at least 1.</param>
/// <param name="Output">Name of the model output that the loss reads, or null: the first that suits it.</param>
public sealed record CalibrationPolicy(string? Data, LossKind? Loss, string? Labels, int Samples, string? Output)
{
    /// <summary>The losses whose weighted sum counts; empty: the short form, or a guess.</summary>
    public IReadOnlyList<LossPolicy> Losses { get; init; } = [];

    /// <summary>Input of the model or key of the data whose zeros leave positions out, or null: an attention mask of the model.</summary>
    public string? Mask { get; init; }

    /// <summary>A label that does not count, besides all that are below 0; or null.</summary>
    public long? IgnoreLabel { get; init; }

    /// <summary>How a folder of images becomes samples; null: by the defaults.</summary>
    public ImagePolicy? Images { get; init; }

    /// <summary>How lines of text become samples; null: the data is no text.</summary>
    public TextPolicy? Text { get; init; }

    /// <summary>Every loss with what the section says for all of them filled in; empty: to be guessed.</summary>
    public IReadOnlyList<LossPolicy> AllLosses(Place place)
    {
        IEnumerable<LossPolicy> losses = Losses.Count > 0 ? Losses : Loss is { } kind ? [new LossPolicy(kind, place)] : [];
        return [.. losses.Select(Complete)];
    }

    /// <summary>A loss with what the section says for all losses.</summary>
    public LossPolicy Complete(LossPolicy loss) => loss with
    {
        Output = loss.Output ?? Output,
        Labels = loss.Labels ?? Labels,
        Mask = loss.Mask ?? Mask,
        IgnoreLabel = loss.IgnoreLabel ?? IgnoreLabel,
    };
}

/// <summary>One of the losses whose weighted sum counts.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Place">Where it stands in the policy.</param>
/// <param name="Output">Name of the model output that it reads, or null: the first that suits it.</param>
/// <param name="Weight">Its factor in the sum; at least 0.</param>
/// <param name="Labels">Key of the label within a sample, or null.</param>
/// <param name="Mask">Input of the model or key of the data whose zeros leave positions out, or null.</param>
/// <param name="IgnoreLabel">A label that does not count, besides all that are below 0; or null.</param>
/// <param name="File">Path of the ONNX file as written; of <see cref="LossKind.Graph"/> alone.</param>
public sealed record LossPolicy(
    LossKind Kind,
    Place Place,
    string? Output = null,
    double Weight = 1,
    string? Labels = null,
    string? Mask = null,
    long? IgnoreLabel = null,
    string? File = null);

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

/// <summary>Data that calibration does not see, to verify the emitted model on.</summary>
/// <param name="Data">Path of the samples as written.</param>
/// <param name="Samples">At most so many samples are read, from the start of the data; null: all.</param>
public sealed record EvaluationPolicy(string Data, int? Samples);

/// <summary>Concrete input sizes to time.</summary>
/// <param name="Name">Name for reports, or null.</param>
/// <param name="Inputs">Value of each symbolic dimension of the model, by its name; each at least 1.</param>
/// <param name="Weight">Share of this scenario in the objective, relative to the others; at least 0.</param>
/// <param name="Place">Where the scenario stands in the policy.</param>
public sealed record ScenarioPolicy(string? Name, IReadOnlyDictionary<string, long> Inputs, double Weight, Place Place);

/// <summary>Pins the layers it matches to one format; of several rules that match, the last one counts.</summary>
/// <param name="Match">A node name or a pattern of <see cref="Glob"/>.</param>
/// <param name="Format">One of <see cref="FormatNames.All"/>.</param>
/// <param name="Place">Where the pattern stands in the policy.</param>
public sealed record LayerRule(string Match, string Format, Place Place);

/// <summary>How the app runs the model.</summary>
/// <param name="Provider">Execution provider; <c>cpu</c>.</param>
/// <param name="Threads">Threads within an operator; 0: as many as the machine has processors.</param>
/// <param name="Place">Where the section stands in the policy, or the policy itself when it has none.</param>
public sealed record RuntimePolicy(string Provider, int Threads, Place Place);

/// <summary>What one sample's loss is.</summary>
public enum LossKind
{
    /// <summary>Cross-entropy of an output's last axis against labels, or against the model's own argmax.</summary>
    CrossEntropy,

    /// <summary>Mean cross-entropy of each position's output against the next position's input token.</summary>
    NextToken,

    /// <summary>Squared error of an output against the original's, by random projections; needs no labels.</summary>
    OutputMse,

    /// <summary>A scalar output of the model is the loss.</summary>
    ScalarOutput,

    /// <summary>A graph of the user's, appended to the model.</summary>
    Graph,
}

/// <summary>What the plan maximizes the gain of, within the budget.</summary>
public enum Objective
{
    /// <summary>Measured time, the scenarios weighted.</summary>
    Time,

    /// <summary>Time computed from multiply-accumulate operations and each format's theoretical cost.</summary>
    TheoreticalTime,

    /// <summary>Bytes of weights.</summary>
    Memory,
}
