using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>
/// Every key of a policy, once: its name, how its value is read, where it goes, and by omission its default.
/// A new key is a row here and an entry in build/policy.schema.json; a test holds the two together.
/// </summary>
internal static class PolicyKeys
{
    private const int MostThreads = 1024;

    /// <summary>A day.</summary>
    private const int MostSeconds = 86_400;

    private static readonly ValueReader<string> Output = Values.Name("the name of a model output");

    private static readonly ValueReader<string> Labels = Values.Name("the key of the label in a sample");

    private static readonly ValueReader<string> Mask = Values.Name("the name of a model input or the key of a mask in a sample");

    private static readonly ValueReader<BudgetPolicy> Budget = BudgetText.ShortOrLong(
        new Section<BudgetPolicy>("budget", BudgetText.LongForm, _ => new BudgetPolicy([]))
            .Optional("lossError", BudgetText.Share(BudgetText.Expected, isZeroPossible: false), (section, value) => section.With(new LossLimit(BudgetKind.LossError, value)))
            .Optional("lossIncrease", BudgetText.Share(BudgetText.ExpectedShare, isZeroPossible: true), (section, value) => section.With(new LossLimit(BudgetKind.LossIncrease, value)))
            .Optional("accuracyDrop", BudgetText.Share(BudgetText.ExpectedShare, isZeroPossible: true), (section, value) => section.With(new LossLimit(BudgetKind.AccuracyDrop, value)))
            .Optional("agreement", BudgetText.Agreement(), (section, value) => section.With(new LossLimit(BudgetKind.Agreement, value)))
            .Optional(SizeLimit.Key, BudgetText.Size(), (section, value) => section with { Size = value })
            .Reader);

    private static readonly ValueReader<LossKind> Kind = Values.Choice(
        [("cross-entropy", LossKind.CrossEntropy), ("next-token", LossKind.NextToken), ("output-mse", LossKind.OutputMse), ("scalar-output", LossKind.ScalarOutput), ("graph", LossKind.Graph)]);

    private static readonly ValueReader<LossPolicy> Loss = LossValues.Checked(
        new Section<LossPolicy>("a loss", "a section such as { kind: cross-entropy, output: logits, labels: label }", place => new LossPolicy(LossKind.CrossEntropy, place))
            .Required("kind", Kind, (section, value) => section with { Kind = value })
            .Optional("output", Output, (section, value) => section with { Output = value })
            .Optional("weight", Values.Weight(), (section, value) => section with { Weight = value })
            .Optional("labels", Labels, (section, value) => section with { Labels = value })
            .Optional("mask", Mask, (section, value) => section with { Mask = value })
            .Optional("ignoreLabel", Values.Integer(long.MinValue), (section, value) => section with { IgnoreLabel = value })
            .Optional("file", Values.FilePath("the path of an ONNX file"), (section, value) => section with { File = value })
            .Reader);

    private static readonly ValueReader<Objective> Objective = Values.Choice(
        [("time", Policies.Objective.Time), ("theoretical-time", Policies.Objective.TheoreticalTime), ("memory", Policies.Objective.Memory)]);

    private static readonly ValueReader<string> Provider = Values.Choice([("cpu", "cpu")]);

    public static readonly ValueReader<ImagePolicy> Images =
        new Section<ImagePolicy>("images", "a section such as { resize: 256, crop: 224, mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] }", _ => ImagePolicy.Default)
            .Optional("resize", ImageValues.Size("pixels of the shorter side, or [height, width]"), (section, value) => section with { Resize = value })
            .Optional("crop", ImageValues.Size("pixels of a side, or [height, width]"), (section, value) => section with { Crop = value })
            .Optional("scale", ImageValues.Scale(), (section, value) => section with { Scale = value })
            .Optional("mean", ImageValues.Numbers("a number, or one for each channel", _ => true), (section, value) => section with { Mean = value })
            .Optional("deviation", ImageValues.Numbers("a number above 0, or one for each channel", number => number > 0), (section, value) => section with { Deviation = value })
            .Optional("channels", Values.Choice([("rgb", ChannelOrder.Rgb), ("bgr", ChannelOrder.Bgr)]), (section, value) => section with { Channels = value })
            .Optional("layout", Values.Choice([("nchw", ImageLayout.ChannelsFirst), ("nhwc", ImageLayout.ChannelsLast)]), (section, value) => section with { Layout = value })
            .Optional("labels", Values.FilePath("the path of a file of labels"), (section, value) => section with { Labels = value })
            .Reader;

    private static readonly ValueReader<TextPolicy> Text =
        new Section<TextPolicy>("text", "a section such as { tokenizer: tokenizer.json, maxLength: 128 }", _ => new TextPolicy("", null, false, null))
            .Required("tokenizer", Values.FilePath("the path of a vocab.txt, a tokenizer.json or a tokenizer.model"), (section, value) => section with { Tokenizer = value })
            .Optional("maxLength", Values.Count(1, 1 << 20), (section, value) => section with { MaxLength = value })
            .Optional("padding", Values.Choice([("none", false), ("max", true)]), (section, value) => section with { Pad = value })
            .Optional("case", Values.Choice([("lower", true), ("keep", false)]), (section, value) => section with { Lowercase = value })
            .Reader;

    private static readonly ValueReader<CalibrationPolicy> Calibration =
        new Section<CalibrationPolicy>("calibration", "a section such as { data: calibration.jsonl, loss: cross-entropy, labels: label }", _ => DefaultCalibration)
            .Optional("data", Values.FilePath("the path of the samples"), (section, value) => section with { Data = value })
            .Optional("loss", LossValues.OneOrSeveral(Kind, Loss), (section, value) => section with { Loss = value.Short, Losses = value.Losses })
            .Optional("labels", Labels, (section, value) => section with { Labels = value })
            .Optional("mask", Mask, (section, value) => section with { Mask = value })
            .Optional("ignoreLabel", Values.Integer(long.MinValue), (section, value) => section with { IgnoreLabel = value })
            .Optional("images", Images, (section, value) => section with { Images = value })
            .Optional("text", Text, (section, value) => section with { Text = value })
            .Optional("samples", Values.Count(1, int.MaxValue), (section, value) => section with { Samples = value })
            .Optional("output", Output, (section, value) => section with { Output = value })
            .Optional("confidence", Values.Number(0.5, 0.999), (section, value) => section with { Confidence = value })
            .Optional("unreached", Values.Choice([("baseline", false), ("forward", true)]), (section, value) => section with { MeasuresUnreached = value })
            .Reader;

    private static readonly ValueReader<EvaluationPolicy> Evaluation =
        new Section<EvaluationPolicy>("evaluation", "a section such as { data: evaluation.jsonl }", _ => new EvaluationPolicy("", null))
            .Required("data", Values.FilePath("the path of the samples"), (section, value) => section with { Data = value })
            .Optional("samples", Values.Count(1, int.MaxValue), (section, value) => section with { Samples = value })
            .Reader;

    private static readonly ValueReader<ScenarioPolicy> Scenario =
        new Section<ScenarioPolicy>(
            "a scenario", "a section such as { inputs: { batch: 1, sequence: 128 }, weight: 1 }", place => new ScenarioPolicy(null, new Dictionary<string, long>(), 1, place))
            .Optional("name", Values.Name("a name for reports"), (section, value) => section with { Name = value })
            .Required("inputs", Values.Sizes(), (section, value) => section with { Inputs = value })
            .Optional("weight", Values.Weight(), (section, value) => section with { Weight = value })
            .Reader;

    private const string RuleName = "a rule for layers";

    private static readonly ValueReader<LayerRule> Layer = Saying(
        new Section<LayerRule>(RuleName, "a section such as { match: \"/classifier/*\", format: fp32 }", place => new LayerRule("", null, place))
            .Required("match", Values.Name("a node name or a pattern such as \"/classifier/*\""), (section, value) => section with { Match = value })
            .Optional("format", FormatValues.One(), (section, value) => section with { Format = value })
            .Optional("not", FormatValues.Selectors(), (section, value) => section with { Not = value })
            .Optional("atLeast", Values.Choice([.. FormatFamilies.All.Select(family => (family.Name, family.Name))]), (section, value) => section with { AtLeast = value })
            .Optional("sharedFormat", Values.Flag(), (section, value) => section with { SharesFormat = value })
            .Reader);

    private static readonly ValueReader<RuntimePolicy> Runtime =
        new Section<RuntimePolicy>("runtime", "a section such as { provider: cpu, threads: 2 }", place => new RuntimePolicy("cpu", 0, place))
            .Optional("provider", Provider, (section, value) => section with { Provider = value })
            .Optional("threads", Values.Count(0, MostThreads), (section, value) => section with { Threads = value })
            .Optional("profile", Values.FilePath("the path of a profile, such as device.profile.json"), (section, value) => section with { Profile = value })
            .Optional("freeDimensions", Values.Flag(), (section, value) => section with { FreeDimensions = value })
            .Optional("geluApproximation", Values.Flag(), (section, value) => section with { GeluApproximation = value })
            .Optional("spinning", Values.Flag(), (section, value) => section with { Spinning = value })
            .Reader;

    /// <summary>The whole policy.</summary>
    public static readonly ValueReader<Policy> Root =
        new Section<Policy>("the policy", "keys and values, at least 'model: model.onnx'", Defaults)
            .Required("model", Values.FilePath("the path of an ONNX model"), (policy, value) => policy with { Model = value })
            .Optional("defaults", Values.Choice([("keep", true)]), (policy, value) => policy with { KeepsDefaults = value })
            .Optional("output", Values.OnnxFileName(), (policy, value) => policy with { Output = value })
            .Optional("budget", Budget, (policy, value) => policy with { Budget = value })
            .Optional("calibration", Calibration, (policy, value) => policy with { Calibration = value })
            .Optional("evaluation", Evaluation, (policy, value) => policy with { Evaluation = value })
            .Optional("formats", FormatValues.OneOrSeveral(), (policy, value) => policy with { Formats = value })
            .Optional("structures", Values.Structures(), (policy, value) => policy with { Structures = value })
            .Optional("objective", Objective, (policy, value) => policy with { Objective = value })
            .Optional("minimumGain", BudgetText.Share(BudgetText.ExpectedShare, isZeroPossible: true), (policy, value) => policy with { MinimumGain = value })
            .Optional("searchSeconds", Values.Count(0, MostSeconds), (policy, value) => policy with { SearchSeconds = value })
            .Optional("scenarios", Scenario.List("a list of scenarios"), (policy, value) => policy with { Scenarios = value })
            .Optional("plans", Values.Choice([("one", false), ("per-scenario", true)]), (policy, value) => policy with { PlansPerScenario = value })
            .Optional("layers", Layer.List("a list of rules for layers"), (policy, value) => policy with { Layers = value })
            .Optional("runtime", Runtime, (policy, value) => policy with { Runtime = value })
            .Reader;

    /// <summary>A rule has a key besides its pattern.</summary>
    private static ValueReader<LayerRule> Saying(ValueReader<LayerRule> rule) => new(rule.Shape, (node, path) => rule.Read(node, path) is var read && node is YamlMapping { Entries.Count: > 1 }
        ? read : throw Errors.PolicyMissingKey(node.Place, "format", RuleName, "a format, or one of the keys 'not', 'atLeast' and 'sharedFormat'"));

    private static CalibrationPolicy DefaultCalibration => new(null, null, null, 256, null);

    private static Policy Defaults(Place place) => new(
        File: place.File!,
        Folder: "",
        Model: "",
        Output: null,
        new BudgetPolicy([BudgetPolicy.Default]),
        DefaultCalibration,
        Evaluation: null,
        FormatFamilies.Presets[FormatFamilies.DefaultPreset],
        Policies.Objective.Time,
        Scenarios: [],
        Layers: [],
        new RuntimePolicy("cpu", 0, new Place(place.File)));
}
