using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>Channels of gated layers are balanced from calibration to the file, which is checked against its plan before it ships.</summary>
public class BalancedChannelsTests
{
    [Theory]
    [InlineData("int8-dynamic", 1)]
    [InlineData("int8-dynamic(rounded)", 0)]
    public void TheLayerThatMakesThemHasAnotherWeightInTheFile(string format, int balanced)
    {
        using var folder = new PipelineFolder();
        folder.WriteModel(weightSeed: 1, scale: 3, isGated: true);
        ModelProto original = ModelProto.Parser.ParseFrom(File.ReadAllBytes(folder["model.onnx"]));
        string[] made = [.. original.Graph.Node.Where(n => n.OpType == "MatMul" && n.Input[1].StartsWith('v')).Select(n => n.Name.Length > 0 ? n.Name : n.Output[0])];
        Assert.Equal(2, made.Length);
        folder.WritePolicy("100%", $"formats: \"{format}\"\nobjective: theoretical-time\nlayers: [ {string.Join(", ", made.Select(n => $"{{ match: \"{n}\", format: fp32 }}"))} ]");
        QuantizeResult result = folder.Quantize();
        Assert.Equal("plan", result.Manifest.Shipped.What);
        float[][] stored = Weights(ModelProto.Parser.ParseFrom(File.ReadAllBytes(result.Files[0]))), wanted = Weights(original);

        // Two layers read what the first gated one makes: that stays.
        Assert.Equal(balanced, stored.Zip(wanted).Count(p => !p.First.SequenceEqual(p.Second)));
        Assert.All(stored.Zip(wanted).SelectMany(p => p.First.Zip(p.Second)), p => Assert.Equal(Math.Round(Math.Log2(p.First / p.Second)), Math.Log2(p.First / p.Second)));
        if (balanced == 0)
        {
            return;
        }

        folder.Quantize();
        Assert.DoesNotContain(folder.Log, l => l is "observe started" or "calibrate started" or "quantize started");
        folder.WriteData("calibration.jsonl", seed: 9, samples: 12);
        folder.Quantize();
        Assert.Superset(new HashSet<string> { "observe started", "calibrate started", "quantize started" }, folder.Log.ToHashSet());
    }

    private static float[][] Weights(ModelProto model)
    {
        using var loaded = new OnnxModel(model, ".", "model.onnx");
        return [.. model.Graph.Initializer.Where(i => i.Name.StartsWith('v')).Select(i => loaded.Initializer(i.Name)!.Values<float>().ToArray())];
    }
}
