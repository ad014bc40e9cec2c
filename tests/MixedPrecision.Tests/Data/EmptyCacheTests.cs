using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Data;

/// <summary>Caches of a decoder that the data does not give, or gives empty.</summary>
public sealed class EmptyCacheTests : IDisposable
{
    private static readonly InputDeclaration[] Decoder =
    [
        new("input_ids", new TensorType(ElementType.Int64, [new(null, "batch_size"), new(null, "sequence_length")])),
        new("past_key_values.0.key", Cache(new(null, "batch_size"), new(null, "past_sequence_length"))),
        new("past_key_values.0.value", Cache(new(null, "batch_size"), new(null, "past_sequence_length"))),
    ];

    private readonly TemporaryFolder folder = new();

    [Fact]
    public void CachesThatAreNotGivenAreEmptyAndTheNoteNamesThem()
    {
        Sample sample = Assert.Single(Lines("""{"input_ids": [[1, 2, 3], [4, 5, 6]]}"""));
        Assert.Equal([2, 4, 0, 32], sample.Inputs["past_key_values.0.key"].Shape);
        Assert.Equal(ElementType.Float16, sample.Inputs["past_key_values.0.value"].ElementType);
        Assert.Contains("'past_key_values.0.key', 'past_key_values.0.value': they are fed as empty caches", Assert.Single(SampleChecks.Notes([sample])), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[[[], [], [], []]]")]
    [InlineData("[]")]
    public void NestedEmptyArraysHaveTheDeclaredRank(string cache)
    {
        Sample sample = Assert.Single(Lines($$"""{"input_ids": [[1, 2]], "past_key_values.0.key": {{cache}}, "past_key_values.0.value": [[[], [], [], []]]}"""));
        Assert.All(["key", "value"], part => Assert.Equal([1, 4, 0, 32], sample.Inputs[$"past_key_values.0.{part}"].Shape));
        Assert.Empty(SampleChecks.Notes([sample]));
    }

    [Fact]
    public void AnArchiveMayLackThemToo()
    {
        string path = folder.Combine("data.npz");
        File.WriteAllBytes(path, NumpyTests.Archive(("input_ids.npy", NumpyTests.Npy("<i8", "(2, 1, 3)", NumpyTests.Bytes(1L, 2, 3, 4, 5, 6)))));
        IReadOnlyList<Sample> samples = SampleReader.Read(path, "data.npz", Decoder, null, null);
        Assert.Equal(2, samples.Count);
        Assert.All(samples, s => Assert.Equal([1, 4, 0, 32], s.Inputs["past_key_values.0.key"].Shape));
    }

    [Fact]
    public void ACacheOfFixedSizeHasToBeGiven()
    {
        InputDeclaration[] inputs = [Decoder[0], new("past_key", Cache(new(null, "batch_size"), Dimension.Of(16)))];
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => Lines("""{"input_ids": [[1]]}""", inputs)).Diagnostic;
        Assert.Equal(Codes.DataMissingKey, error.Code);
        Assert.Contains("'past_key'", error.Message, StringComparison.Ordinal);
    }

    public void Dispose() => folder.Dispose();

    private static TensorType Cache(Dimension batch, Dimension past) => new(ElementType.Float16, [batch, Dimension.Of(4), past, Dimension.Of(32)]);

    private IReadOnlyList<Sample> Lines(string text, IReadOnlyList<InputDeclaration>? inputs = null)
    {
        File.WriteAllText(folder.Combine("data.jsonl"), text);
        return SampleReader.Read(folder.Combine("data.jsonl"), "data.jsonl", inputs ?? Decoder, null, null);
    }
}
