using System.Globalization;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>Every real model goes through inspect and quantize: to a valid result, or to an error that names what is missing.</summary>
public sealed class SharedModelTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("mixed-precision-").FullName;

    private RunOptions Options => new(Path.Combine(folder, "cache"), null, _ => { }, _ => { }, TestContext.Current.CancellationToken);

    public static TheoryData<string> Models() => [.. SharedFolder.Models];

    [Theory]
    [MemberData(nameof(Models))]
    public void InspectShowsEveryLayerOnce(string name)
    {
        InspectReport report = Verbs.Inspect(SharedFolder.Model(name), Options);
        string[] layers = [.. report.Subgraphs.SelectMany(s => s.Layers).Select(l => l.Name)];
        Assert.NotEmpty(layers);
        Assert.Equal(layers.Distinct(), layers);
        Assert.All(report.Subgraphs, s => Assert.NotEmpty(s.Layers));
    }

    [Theory]
    [InlineData("textline-orientation", "x", "1,3,80,160", "output-mse")]
    [InlineData("ppocr-det", "x", "1,3,64,64", "output-mse")]
    [InlineData("ppocr-rec", "x", "1,3,48,64", "cross-entropy")]
    [InlineData("yolox-nano", "images", "1,3,416,416", "output-mse")]
    public void ImageModelsAreQuantizedOrTheErrorNamesOperators(string name, string input, string shape, string loss)
    {
        long[] sizes = [.. shape.Split(',').Select(s => long.Parse(s, CultureInfo.InvariantCulture))];
        var random = new Random(1);
        var lines = Enumerable.Range(0, 2).Select(_ => $"{{\"{input}\": {Nested(sizes, random)}}}");
        File.WriteAllLines(Path.Combine(folder, "data.jsonl"), lines);
        Check(name, "data.jsonl", loss);
    }

    [Fact]
    public void TheRecurrentModelIsQuantizedOrTheErrorNamesOperators()
    {
        File.Copy(SharedFolder.Path("models", "silero-vad", "calibration.npz"), Path.Combine(folder, "data.npz"));
        Check("silero-vad", "data.npz", "output-mse");
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private void Check(string name, string data, string loss)
    {
        string model = SharedFolder.Model(name);
        string policy = Path.Combine(folder, "policy.yaml");
        File.Copy(model, Path.Combine(folder, "model.onnx"));
        File.WriteAllText(policy, $$"""
            model: model.onnx
            budget: 2%
            calibration: { data: {{data}}, loss: {{loss}}, samples: 4 }
            runtime: { threads: 2 }
            objective: theoretical-time
            """);
        try
        {
            QuantizeResult result = Verbs.Quantize(policy, Path.Combine(folder, "out"), Options);
            Assert.InRange(result.Manifest.Measured.RelativeLossError, 0, 0.02);
            using OnnxModel emitted = OnnxModel.Load(result.Files.Single(f => f.EndsWith(".onnx", StringComparison.Ordinal)));
            Assert.Equal(result.Manifest.Output.Nodes, emitted.Graph.Node.Count);
        }
        catch (MixedPrecisionException e) when (e.Diagnostic.Code == Codes.NoLayerReached || e.Diagnostic.Code == Codes.NoGradientRule)
        {
            InspectReport report = Verbs.Inspect(model, Options);
            Assert.Contains(report.Differentiation, gap => e.Message.Contains(gap.Operator, StringComparison.Ordinal));
        }
    }

    private static string Nested(ReadOnlySpan<long> shape, Random random)
    {
        if (shape.Length == 0)
        {
            return (random.NextDouble() - 0.5).ToString("0.00", CultureInfo.InvariantCulture);
        }

        var parts = new List<string>();
        for (int i = 0; i < shape[0]; i++)
        {
            parts.Add(Nested(shape[1..], random));
        }

        return $"[{string.Join(',', parts)}]";
    }
}
