using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;

namespace MixedPrecision.Tests.Formats;

/// <summary>Rounding with what calibration saw: held against all there is to choose from on tiny problems, and against plain rounding.</summary>
public class CompensationTests
{
    private const int Inputs = 5;
    private static readonly WeightGrid Grid = new(Inputs, Step);

    /// <summary>Every choice of values, each with its best scale: 4⁵ of them.</summary>
    [Fact]
    public void TinyProblemsAreSolvedNearlyAsWellAsByTryingEverything()
    {
        double reached = 0, best = 0, rounded = 0;
        for (int seed = 0; seed < 300; seed++)
        {
            float[] column = LayerModels.Random(seed, Inputs).Values<float>().ToArray();
            double[,] moments = Moments(Correlated(seed, 400, Inputs), Inputs);
            (short[] values, GridStep[] steps) = Round(column, 1, Of(moments, 400), Grid);
            Assert.All(values, v => Assert.InRange(v, steps[0].Least, steps[0].Most));
            reached += Error(column, values, steps[0].Scale, moments);
            GridStep step = Step(column);
            rounded += Error(column, [.. column.Select((w, i) => Grid.Nearest(w, step, new short[Inputs], i))], step.Scale, moments);
            best += Best(column, moments);
        }

        Assert.InRange(reached / best, 1, 2);
        Assert.True(rounded > 2 * reached, $"rounding alone: {rounded / best:0.00} times the least error, {reached / best:0.00} reached");
    }

    [Fact]
    public void WithUncorrelatedInputsEachValueIsTheNearest()
    {
        var moments = new double[Inputs, Inputs];
        for (int i = 0; i < Inputs; i++)
        {
            moments[i, i] = 100 * (i + 1);
        }

        float[] column = [0.9f, -0.4f, 0.31f, 0.02f, -0.77f];
        (short[] values, GridStep[] steps) = Round(column, 1, Of(moments, 100_000), Grid);
        Assert.Equal([.. column.Select((w, i) => Grid.Nearest(w, steps[0], values, i))], values);
    }

    [Fact]
    public void FewRowsLeaveRoundingAsItIs()
    {
        float[] column = LayerModels.Random(1, 64).Values<float>().ToArray();
        var grid = new WeightGrid(64, Step);
        double[,] moments = Moments(LayerModels.Random(2, 8, 64).Values<float>().ToArray(), 64);
        (short[] values, GridStep[] steps) = Round(column, 1, Of(moments, 8), grid);
        int different = values.Where((v, i) => v != grid.Nearest(column[i], steps[0], values, i)).Count();
        Assert.InRange(different, 0, 6);
        Assert.InRange(steps[0].Scale / Step(column).Scale, 0.8, 1.25);
    }

    [Fact]
    public void ColumnsDoNotDependOnEachOtherNorOnThreads()
    {
        const int count = 7, inputs = 300;
        float[] columns = LayerModels.Random(3, count, inputs).Values<float>().ToArray();
        InputMoments moments = Of(Moments(Correlated(4, 900, inputs), inputs), 900, width: 128);
        var grid = new WeightGrid(32, Step);
        (short[] all, GridStep[] steps) = Round(columns, count, moments, grid);
        for (int column = 0; column < count; column++)
        {
            (short[] one, GridStep[] own) = Round(columns[(column * inputs)..((column + 1) * inputs)], 1, moments, grid);
            Assert.Equal(all[(column * inputs)..((column + 1) * inputs)], one);
            Assert.Equal(steps[(column * own.Length)..((column + 1) * own.Length)], own);
        }
    }

    [Fact]
    public void NothingButZerosWasRead()
    {
        float[] column = [0.5f, -1f, 0.25f, 0f, 0.75f];
        (short[] values, GridStep[] steps) = Round(column, 1, Of(new double[Inputs, Inputs], 10), Grid);
        Assert.Equal([.. column.Select((w, i) => Grid.Nearest(w, steps[0], values, i))], values);
    }

    public static TheoryData<string> Gptq => [.. FormatTexts.ForWeights.Where(f => f.ReadsMoments).Select(f => f.Name)];

    /// <summary>On rows that the moments are not of, and by the product's own kernels.</summary>
    [Theory]
    [MemberData(nameof(Gptq))]
    public void OutputsChangeLessThanByRounding(string name)
    {
        const int inputs = 160, outputs = 48, rows = 2000;
        using var model = new OnnxModel(LayerModels.MatMul(rows, inputs, outputs), ".", "model.onnx");
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        LayerSite site = LayerSite.Of(model, partition.View, types, partition.Layers.First());
        Tensor weight = model.Initializer("w")!;
        NumberFormat format = NumberFormats.Get(name);
        InputMoments moments = Of(Moments(Correlated(5, rows, inputs), inputs), rows);
        var other = new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>(Correlated(6, rows, inputs), rows, inputs) };
        using Session exact = Session.Create(model.Proto, SessionSettings.Default);
        float[] wanted = exact.Run(other)["y"].Values<float>().ToArray();
        double Error(LayerSite own)
        {
            ModelProto mixed = model.Proto.Clone();
            LayerRewriter.Apply(mixed, [(own, format)], _ => weight);
            using Session session = Session.Create(mixed, SessionSettings.Default);
            return session.Run(other)["y"].Values<float>().ToArray().Zip(wanted, (a, b) => Math.Pow(a - b, 2)).Sum();
        }

        // Where activations are rounded too, that is most of what is left of 8-bit weights.
        Assert.InRange(Error(site with { Moments = moments }) / Error(site), 0, name.StartsWith("int4", StringComparison.Ordinal) ? 0.5 : 0.99);
    }

    /// <summary>Pairs of int8-dynamic, whose sums x64 processors without VNNI keep in 16 bits.</summary>
    [Fact]
    public void PairsStayBelowTheirLimit()
    {
        const int inputs = 64, count = 40;
        var grid = new WeightGrid(inputs, column => new GridStep(Rounding.LargestPair(column) / 127, -127, 127), LargestPair: 128);
        (short[] values, _) = Round(LayerModels.Random(7, count, inputs).Values<float>().ToArray(), count, Of(Moments(Correlated(8, 500, inputs), inputs), 500), grid);
        int largest = values.Chunk(2).Max(p => Math.Max(Math.Abs(Math.Max(p[0], (short)0) + Math.Max(p[1], (short)0)), Math.Abs(Math.Min(p[0], (short)0) + Math.Min(p[1], (short)0))));
        Assert.InRange(largest, 120, 128);
    }

    [Fact]
    public void APreparationChangesNoKernel()
    {
        IGrouping<string, NumberFormat>[] kinds =
        [
            .. FormatFamilies.All.SelectMany(f => f.All).Select(f => NumberFormats.Get(f.Text)).GroupBy(f => f.Name.Replace("rounded", "gptq", StringComparison.Ordinal)),
        ];
        Assert.Contains(kinds, k => k.Count() == 2);
        Assert.All(kinds, k => Assert.Single(k.Select(f => f.KernelIdentity).Distinct()));
    }

    private static GridStep Step(ReadOnlySpan<float> values) => Rounding.Range(values) is var (low, high) ? new((high >= -low ? high : low) / -2, -2, 1) : default;

    private static (short[] Values, GridStep[] Steps) Round(float[] columns, int count, InputMoments moments, WeightGrid grid)
    {
        int inputs = columns.Length / count;
        var steps = new GridStep[count * grid.Blocks(inputs)];
        for (int place = 0; place < steps.Length; place++)
        {
            int start = place % grid.Blocks(inputs) * grid.Block;
            steps[place] = grid.StepOf(columns.AsSpan((place / grid.Blocks(inputs) * inputs) + start, Math.Min(grid.Block, inputs - start)));
        }

        var values = new short[columns.Length];
        moments.Compensation().Round(columns, count, grid, steps, values);
        return (values, steps);
    }

    /// <summary>The least error over all values, with the best scale of each.</summary>
    private static double Best(float[] column, double[,] moments)
    {
        double best = double.PositiveInfinity;
        var values = new short[Inputs];
        for (int choice = 0; choice < 1 << (2 * Inputs); choice++)
        {
            double numerator = 0, denominator = 0;
            for (int i = 0; i < Inputs; i++)
            {
                values[i] = (short)(((choice >> (2 * i)) & 3) - 2);
            }

            for (int i = 0; i < Inputs; i++)
            {
                for (int j = 0; j < Inputs; j++)
                {
                    numerator += values[i] * moments[i, j] * column[j];
                    denominator += values[i] * moments[i, j] * values[j];
                }
            }

            best = Math.Min(best, denominator > 0 ? Error(column, values, numerator / denominator, moments) : double.PositiveInfinity);
        }

        return best;
    }

    private static double Error(float[] column, short[] values, double scale, double[,] moments)
    {
        double error = 0;
        for (int i = 0; i < column.Length; i++)
        {
            for (int j = 0; j < column.Length; j++)
            {
                error += ((scale * values[i]) - column[i]) * moments[i, j] * ((scale * values[j]) - column[j]);
            }
        }

        return error;
    }

    /// <summary>Rows whose inputs go together, as those of a layer do.</summary>
    internal static float[] Correlated(int seed, int rows, int inputs)
    {
        var random = new Random(seed);
        var mixture = new Random(inputs);
        int hidden = Math.Max(2, inputs / 4);
        double[] mix = [.. Enumerable.Range(0, hidden * inputs).Select(_ => mixture.NextDouble() - 0.5)];
        var x = new float[rows * inputs];
        for (int row = 0; row < rows; row++)
        {
            double[] own = [.. Enumerable.Range(0, hidden).Select(_ => random.NextDouble() - 0.5)];
            for (int input = 0; input < inputs; input++)
            {
                x[(row * inputs) + input] = (float)(Enumerable.Range(0, hidden).Sum(h => own[h] * mix[(h * inputs) + input]) + (0.1 * (random.NextDouble() - 0.5)));
            }
        }

        return x;
    }

    internal static double[,] Moments(float[] x, int inputs)
    {
        var moments = new double[inputs, inputs];
        for (int row = 0; row < x.Length / inputs; row++)
        {
            for (int i = 0; i < inputs; i++)
            {
                for (int j = 0; j < inputs; j++)
                {
                    moments[i, j] += (double)x[(row * inputs) + i] * x[(row * inputs) + j];
                }
            }
        }

        return moments;
    }

    internal static InputMoments Of(double[,] moments, long rows, int? width = null)
    {
        int inputs = moments.GetLength(0);
        float[] values =
        [
            .. Enumerable.Range(0, inputs).Select(i => (float)Math.Sqrt(moments[i, i])),
            .. from block in InputMoments.Blocks(inputs, width ?? inputs)
               from i in Enumerable.Range(block.Start, block.Size)
               from j in Enumerable.Range(i, block.Start + block.Size - i)
               select (float)moments[i, j],
        ];
        return new InputMoments(inputs, rows, width ?? inputs, "test", () => values);
    }
}
