using MixedPrecision.Data;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Data;

/// <summary>Real data, against what real models declare.</summary>
public class SharedDataTests
{
    [Theory]
    [InlineData("docarea", "calibration.jsonl", "label", 256)]
    [InlineData("docarea", "evaluation.jsonl", "label", 2000)]
    [InlineData("doclm", "calibration.jsonl", null, 64)]
    [InlineData("silero-vad", "calibration.npz", null, 125)]
    [InlineData("silero-vad", "evaluation.npz", null, 250)]
    public void The_data_of_a_model_fits_it(string model, string data, string? labelKey, int count)
    {
        using OnnxModel onnx = OnnxModel.Load(SharedFolder.Model(model));
        InputDeclaration[] inputs = [.. onnx.Inputs.Select(input => new InputDeclaration(input.Name, TensorType.Read(input.Type)))];

        IReadOnlyList<Sample> samples = SampleReader.Read(SharedFolder.Path("models", model, data), data, inputs, labelKey, null);

        Assert.Equal(count, samples.Count);
        Assert.All(samples, sample => Assert.Equal(inputs.Length, sample.Inputs.Count));
        Assert.Equal(count, samples.Select(sample => sample.Id).Distinct().Count());
        if (labelKey is not null)
            Assert.All(samples, sample => Assert.InRange(Assert.Single(sample.Label!.Values<long>().ToArray()), 0, 18));
    }
}
