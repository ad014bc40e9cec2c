using MixedPrecision.Calibration;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Calibration;

/// <summary>Formats that divide a weight in different ways are judged together as each is alone.</summary>
public class WeightSquaresTests
{
    [Theory]
    [InlineData(false, "int8-dynamic", "int4-weight(block=128)", "int4-weight(block=32)", "int8-weight(block=16)")]
    [InlineData(true, "int4-weight(block=256)", "int8-dynamic", "int4-weight(block=64)")]
    [InlineData(false, "int8-dynamic")]
    public void TheSumsAreThoseOfEachFormatByItself(bool isTransposed, params string[] formats)
    {
        const int Inputs = 300, Outputs = 20;
        ModelProto model = isTransposed ? LayerModels.Gemm(Inputs, Outputs) : LayerModels.MatMul(5, Inputs, Outputs);
        using var loaded = new OnnxModel(model, ".", "test");
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(loaded);
        Partition partition = Partitioner.Partition(loaded, types);
        LayerSite site = LayerModels.SiteOf(loaded, partition, types, partition.Layers.Single());
        Tensor weight = Weights.Read(loaded, partition.View, site.Layer.Weight)!;
        float[] gradient = LayerModels.Random(9, Inputs, Outputs).Values<float>().ToArray();
        var squares = new WeightSquares(site, weight, [.. formats.Select(NumberFormats.Get)]);
        WeightSquares.Sums sums = squares.Start();
        squares.Add(sums, gradient, 0);
        var terms = new LayerTerms();
        squares.AddTo(terms, sums);
        Assert.All(formats.Select(NumberFormats.Get), format =>
        {
            float[] steps = format.WeightSteps(site, weight);
            int perColumn = steps.Length / Outputs;
            double expected = 0;
            for (int input = 0; input < Inputs; input++)
            {
                for (int output = 0; output < Outputs; output++)
                {
                    double step = steps[(output * perColumn) + (format.WeightBlock == 0 ? 0 : input / format.WeightBlock)];
                    double value = gradient[isTransposed ? (output * Inputs) + input : (input * Outputs) + output];
                    expected += step * step / 12 * value * value;
                }
            }

            Assert.InRange(terms.Taylor[format.Name] / expected, 0.9999, 1.0001);
        });
    }
}
