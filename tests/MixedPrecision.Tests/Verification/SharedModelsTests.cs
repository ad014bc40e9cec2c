using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Verification;

/// <summary>Real models, each format for all layers that it applies to and that needs no calibration data: as planned, in the promised kernels, and the same without optimizations.</summary>
public class SharedModelsTests
{
    public static TheoryData<string, string> Cases =>
        [.. new[] { "docarea", "doclm", "ppocr-rec", "textline-orientation" }.SelectMany(m => NumberFormats.Default.Skip(1).Where(f => !f.ReadsRanges).Select(f => (m, f.Name)))];

    [Theory]
    [MemberData(nameof(Cases))]
    public void UniformModelsAreAsPlanned(string model, string format) => Check(SharedFolder.Model(model), format);

    private static void Check(string path, string format)
    {
        using var emitted = new EmittedModel(ModelProto.Parser.ParseFrom(File.ReadAllBytes(path)), format);
        KernelCheck.Check(emitted.Mixed, emitted.Check(), SessionSettings.Default);
        IReadOnlyList<Sample> samples = SyntheticInputs.Make(emitted.Model, emitted.Original, new Dictionary<string, long>(), 2).Samples;
        Assert.Empty(Repeatability.Check(emitted.Model, emitted.Original, samples, SessionSettings.Default, TestContext.Current.CancellationToken));
        AgreementResult result = Agreement.Measure(
            emitted.Original, emitted.Mixed, emitted.Plan.Select(p => p.Format), samples, SessionSettings.Default, TestContext.Current.CancellationToken);
        Assert.Null(result.Problem("model.mixed.onnx"));
        bool changes = emitted.Plan.Any(p => p.Format != NumberFormats.Baseline);
        Assert.All(result.Outputs, o => Assert.Equal(changes, o.Error.Difference > 0));
    }
}
