using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>Convolutions with ranges known beforehand, from calibration data to the file.</summary>
public class StaticRangesTests
{
    [Fact]
    public void RangesOfCalibrationDataStandInTheFile()
    {
        using var folder = new PipelineFolder();
        folder.WriteConvolutions(weightSeed: 1);
        folder.WritePolicy("100%", "formats: int8-static\nobjective: theoretical-time");
        QuantizeResult result = folder.Quantize();
        Assert.Equal("plan", result.Manifest.Shipped.What);
        Assert.Equal(2, result.Manifest.Subgraphs.SelectMany(s => s.Layers).Count(l => l.Format.StartsWith("int8-static", StringComparison.Ordinal)));
        ModelProto file = ModelProto.Parser.ParseFrom(File.ReadAllBytes(result.Files[0]));
        Assert.DoesNotContain(file.Graph.Node, n => n.OpType == "Relu");

        // What enters, what the first gives to the second, what the second gives: each rounded once.
        Assert.Equal(3, file.Graph.Node.Count(n => n.OpType == "QuantizeLinear"));
        using var loaded = new OnnxModel(file, ".", "mixed");
        float[] scales = [.. file.Graph.Node.Where(n => n.OpType == "QuantizeLinear").Select(n => loaded.Initializer(n.Input[1])!.Values<float>()[0])];
        Assert.Equal(3, scales.Distinct().Count());
        Assert.InRange(scales[0], 0.9f / 255, 1.0001f / 255);
        Assert.InRange(result.Manifest.Measured.RelativeLossError, 1e-6, 0.05);
        Assert.InRange(result.Manifest.Predicted.RelativeLossError / result.Manifest.Measured.RelativeLossError, 0.6, 1.6);

        folder.Quantize();
        Assert.DoesNotContain(folder.Log, l => l is "observe started" or "calibrate started" or "quantize started");
        folder.WriteData("calibration.jsonl", seed: 9, samples: 12);
        folder.Quantize();
        Assert.Superset(new HashSet<string> { "observe started", "calibrate started", "quantize started" }, folder.Log.ToHashSet());
    }

    [Fact]
    public void ATightBudgetKeepsThemInFloat()
    {
        using var folder = new PipelineFolder();
        folder.WriteConvolutions(weightSeed: 1);
        folder.WritePolicy("0.0001%", "formats: int8-static\nobjective: theoretical-time");
        Assert.Equal("original", folder.Quantize().Manifest.Shipped.What);
    }
}
