using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Calibration;

/// <summary>xᵀx and max|x| of what layers read in one sample, by ONNX Runtime's product of matrices, block by block along the diagonal. Any number of threads may share it.</summary>
internal sealed class Gram(int threads) : IDisposable
{
    /// <summary>Inputs of a block that is small.</summary>
    private const int FewInputs = 32;

    private readonly Session session = Build(threads);

    /// <summary>Adds one sample to sums.</summary>
    /// <param name="x">[…, K].</param>
    public void Add(Tensor x, MomentSums sums)
    {
        x = HalfPrecision.Widen(x);
        int inputs = sums.Inputs, rows = (int)(x.Count / inputs);
        var triangles = new float[Formats.InputMoments.Count(inputs, sums.Width)];
        int place = 0;
        foreach ((int start, int size) in Formats.InputMoments.Blocks(inputs, sums.Width))
        {
            if (size <= FewInputs)
            {
                AddRows(x.Values<float>(), rows, inputs, start, size, triangles.AsSpan(place, size * (size + 1) / 2));
                place += size * (size + 1) / 2;
                continue;
            }

            using RunResults results = session.RunInPlace(new Dictionary<string, Tensor> { ["x"] = Columns(x, rows, inputs, start, size) }, CancellationToken.None);
            ReadOnlySpan<float> product = results.Tensors["product"].Values<float>();
            for (int row = 0; row < size; row++)
            {
                product.Slice((row * size) + row, size - row).CopyTo(triangles.AsSpan(place));
                place += size - row;
            }
        }

        sums.Add(Largest(x, rows, inputs), triangles, rows);
    }

    /// <summary>One block by itself, which takes less time than to call for it where it is small: a depthwise convolution has many.</summary>
    private static void AddRows(ReadOnlySpan<float> x, int rows, int inputs, int start, int size, Span<float> triangle)
    {
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<float> own = x.Slice((row * inputs) + start, size);
            Span<float> rest = triangle;
            for (int i = 0; i < size; i++)
            {
                for (int j = i; j < size; j++)
                {
                    rest[j - i] += own[i] * own[j];
                }

                rest = rest[(size - i)..];
            }
        }
    }

    public void Dispose() => session.Dispose();

    private static float[] Largest(Tensor x, int rows, int inputs)
    {
        var largest = new float[inputs];
        for (int row = 0; row < rows; row++)
        {
            TensorPrimitives.MaxMagnitude(largest, x.Values<float>().Slice(row * inputs, inputs), largest);
        }

        TensorPrimitives.Abs<float>(largest, largest);
        return largest;
    }

    private static Tensor Columns(Tensor x, int rows, int inputs, int start, int size)
    {
        if (size == inputs)
        {
            return new Tensor(x.ElementType, [rows, inputs], x.Bytes);
        }

        var columns = new float[rows * size];
        for (int row = 0; row < rows; row++)
        {
            x.Values<float>().Slice((row * inputs) + start, size).CopyTo(columns.AsSpan(row * size));
        }

        return Tensor.Of<float>(columns, rows, size);
    }

    private static Session Build(int threads)
    {
        var matrix = new TensorType(ElementType.Float, [Dimension.Unknown, Dimension.Unknown]);
        var graph = new GraphProto { Name = "gram" };
        graph.Input.Add(matrix.ToProto("x"));
        graph.Output.Add(matrix.ToProto("product"));
        var b = new GraphBuilder(["x", "product"]);
        b.NodeTo(["product"], "FusedMatMul", "com.microsoft", ["x", "x"], Attributes.Of("transA", 1));
        b.AppendTo(graph);
        var model = new ModelProto { IrVersion = 10, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 21 });
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.microsoft", Version = 1 });
        return Session.Create(model, SessionSettings.Default with { Threads = threads });
    }
}
