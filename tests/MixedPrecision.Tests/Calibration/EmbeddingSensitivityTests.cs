using Google.Protobuf;
using MixedPrecision.Calibration;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Calibration;

/// <summary>
/// Sensitivities of tables against formulas worked out by hand, in double precision, for g = Σ c tanh((E[ids] + P[0, 1, …]) W): one table is read by an input of the model, some rows
/// twice, the other by indices that are computed.
/// </summary>
public sealed class EmbeddingSensitivityTests : IDisposable
{
    private const int Rows = 20, Positions = 9, Width = 40, Hidden = 6, Block = 16;
    private static readonly long[][] Samples = [[3, 7, 3, 19, -1, 0], [5, 5, 5, 5, -20, 11]];
    private static readonly Tensor Words = LayerModels.Random(1, Rows, Width), Places = LayerModels.Random(2, Positions, Width), Matrix = LayerModels.Random(3, Width, Hidden), Factors = LayerModels.Random(4, Hidden);
    private readonly TemporaryFolder folder = new();

    public static TheoryData<string, CalibrationMemoryCase> Cases() =>
        [.. new[] { "int8-weight(block=16)", "int4-weight(block=16)" }.SelectMany(f => Enum.GetValues<CalibrationMemoryCase>().Select(m => (f, m)))];

    [Theory]
    [MemberData(nameof(Cases))]
    public void BothEstimatesAreTheFormulas(string format, CalibrationMemoryCase memory)
    {
        Sensitivities found = Calibrate(format, memory);
        LayerSensitivity[] tables = [.. found.Layers.Take(2)];
        Assert.Equal(3, found.Layers.Count);
        int bits = format[3] - '0';
        for (int table = 0; table < 2; table++)
        {
            double measured = 0, taylor = 0, weight = 0;
            Tensor own = table == 0 ? Words : Places;
            foreach (long[] ids in Samples)
            {
                double[][] gradients = Gradients(ids);
                int[] rows = table == 0 ? [.. ids.Select(id => (int)((id + Rows) % Rows))] : [.. Enumerable.Range(0, ids.Length)];
                double delta = 0;
                foreach (IGrouping<int, int> places in Enumerable.Range(0, ids.Length).GroupBy(t => rows[t]))
                {
                    for (int j = 0; j < Width; j++)
                    {
                        (double value, double rounded, double step) = Rounded(own, places.Key, j, bits);
                        double gradient = places.Sum(t => gradients[t][j]);
                        delta += (rounded - value) * gradient;
                        taylor += step * step / 12 * gradient * gradient / Samples.Length;
                        weight += value * value * gradient * gradient / Samples.Length;
                    }
                }

                measured += delta * delta / Samples.Length;
            }

            FormatSensitivity one = tables[table].Formats[NumberFormatName(format)];
            Assert.Equal(LayerState.Judged, tables[table].State);
            Assert.Equal(0, tables[table].TaylorActivation);
            Near(weight, tables[table].TaylorWeight);
            Near(taylor, one.Taylor);
            Near(measured, one.Measured);
        }
    }

    /// <summary>A table of which no row has a value was not seen: it keeps the baseline.</summary>
    [Fact]
    public void ATableOfZerosIsNotJudged()
    {
        Sensitivities found = Calibrate("int8-weight", CalibrationMemoryCase.Whole, places: Tensor.Of<float>(new float[Positions * Width], Positions, Width));
        Assert.Equal([LayerState.Judged, LayerState.ReadsZeros, LayerState.Judged], found.Layers.Select(l => l.State));
    }

    /// <summary>Which memory calibration has.</summary>
    public enum CalibrationMemoryCase
    {
        Whole,
        Segments,
        NothingKept,
        SmallTiles,
    }

    public void Dispose() => folder.Dispose();

    private static string NumberFormatName(string format) => MixedPrecision.Formats.NumberFormats.Get(format).Name;

    private static void Near(double expected, double found) => Assert.Equal(expected, found, 1e-3 * expected);

    /// <summary>ẋₜ = W ((1 − tanh²(xₜ W)) ∘ c) for every place t.</summary>
    private static double[][] Gradients(long[] ids) =>
    [
        .. ids.Select((id, place) =>
        {
            double[] x = [.. Enumerable.Range(0, Width).Select(j => (double)Words.Values<float>()[(int)((id + Rows) % Rows * Width) + j] + Places.Values<float>()[(place * Width) + j])];
            double[] upstream = [.. Enumerable.Range(0, Hidden).Select(h =>
                (1 - Math.Pow(Math.Tanh(Enumerable.Range(0, Width).Sum(j => x[j] * Matrix.Values<float>()[(j * Hidden) + h])), 2)) * Factors.Values<float>()[h])];
            return Enumerable.Range(0, Width).Select(j => Enumerable.Range(0, Hidden).Sum(h => Matrix.Values<float>()[(j * Hidden) + h] * upstream[h])).ToArray();
        }),
    ];

    private static (double Value, double Rounded, double Step) Rounded(Tensor table, int row, int column, int bits)
    {
        int start = column / Block * Block, middle = 1 << (bits - 1);
        float[] block = table.Values<float>().Slice((row * Width) + start, Math.Min(Block, Width - start)).ToArray();
        float largest = block.MaxBy(MathF.Abs), value = block[column - start];
        double scale = largest / -middle;
        return (value, scale * Math.Clamp(Math.Round(value / scale), -middle, middle - 1), scale);
    }

    private Sensitivities Calibrate(string format, CalibrationMemoryCase memory, Tensor? places = null)
    {
        var graph = new GraphProto { Name = "tables" };
        graph.Input.Add(new TensorType(ElementType.Int64, [Dimension.Of(1), new(null, "sequence")]).ToProto("ids"));
        graph.Output.Add(new TensorType(ElementType.Float, []).ToProto("g"));
        var b = new GraphBuilder(GraphBuilder.NamesIn(graph));
        string length = b.Gather(b.Shape("ids"), b.Scalar(1, ElementType.Int64), 0);
        string words = b.Gather(b.Constant(Words, "words"), "ids", 0);
        string x = b.Add(words, b.Gather(b.Constant(places ?? Places, "places"), b.Range(length), 0));
        b.NodeTo(["g"], "ReduceSum", "", [b.Mul(b.Node("Tanh", [b.MatMul(x, b.Constant(Matrix, "matrix"))]), b.Constant(Factors, "factors"))], Attributes.Of("keepdims", 0));
        b.AppendTo(graph);
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        File.WriteAllBytes(folder.Combine("model.onnx"), model.ToByteArray());
        File.WriteAllLines(folder.Combine("data.jsonl"), Samples.Select(s => $"{{\"ids\": [[{string.Join(',', s)}]]}}"));
        using var fixture = new CalibrationFixture(
            folder.Combine("model.onnx"), folder.Combine("data.jsonl"), new CalibrationPolicy(null, LossKind.ScalarOutput, null, int.MaxValue, null), withEmbeddings: true);
        Assert.Equal([LayerKind.Embedding, LayerKind.Embedding, LayerKind.MatMul], fixture.Partition.Layers.Select(l => l.Kind));
        return fixture.Calibrate(["fp32", "int8-dynamic", format], memory switch
        {
            CalibrationMemoryCase.Whole => CalibrationMemory.Default,
            CalibrationMemoryCase.Segments => new CalibrationMemory(WholeModel: 0),
            CalibrationMemoryCase.NothingKept => new CalibrationMemory(WholeModel: 0, KeptValues: 0),
            _ => new CalibrationMemory(WholeModel: 0, Weight: 64, GradientTile: 64),
        });
    }
}
