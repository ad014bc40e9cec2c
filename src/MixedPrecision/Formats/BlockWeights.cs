using System.Collections.Concurrent;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;

namespace MixedPrecision.Formats;

/// <summary>
/// Weights of few bits with one scale per block of consecutive inputs of an output column: w ≈ s(q − z), 0 ≤ q &lt; 2^bits. Symmetric: z = 2^(bits−1), with s chosen so that the value
/// of largest magnitude is met exactly by the longer, negative side. With zero points: s = (max − min)/(2^bits − 1) over the block's values and 0, z = round(−min/s). Run by
/// com.microsoft.MatMulNBits. Accuracy level 4 rounds activations to 8 bits per row and block, Δ = max|x|/127; level 0 computes in float. Applies to weight matrices in float32.
/// Layout (operator specification): values [N, ⌈K/block⌉, block·bits/8], lower bits of a byte first; scales [N·⌈K/block⌉]; zero points [N·⌈⌈K/block⌉·bits/8⌉], each column's
/// packed as values are.
/// Tables to look up in, [rows, width], have blocks along their rows and run in com.microsoft.GatherBlockQuantized, which computes in float: values [rows, width·bits/8], without what
/// would fill the last block; scales [rows, ⌈width/block⌉]; zero points [rows, ⌈⌈width/block⌉·bits/8⌉].
/// </summary>
internal static class BlockWeights
{
    private const int RoundsActivations = 4;

    /// <summary>By block: one function for all formats that round activations alike, by which calibration knows that they do.</summary>
    private static readonly ConcurrentDictionary<int, Func<GraphBuilder, LayerSite, string, string, string>> Noises = new();

    /// <summary>How a weight is rounded.</summary>
    private readonly record struct Grid(int Bits, int Block, bool HasZeroPoints)
    {
        public int Limit => (1 << Bits) - 1;

        /// <summary>The step of one block's values, and the integer that stands for 0.</summary>
        public (float Scale, int ZeroPoint) Of(ReadOnlySpan<float> values)
        {
            (float low, float high) = Rounding.Range(values);
            if (low == 0 && high == 0)
            {
                return (1, 1 << (Bits - 1));
            }

            float scale = HasZeroPoints ? (high - low) / Limit : (high >= -low ? high : low) / -(1 << (Bits - 1));
            return (scale, HasZeroPoints ? Math.Clamp((int)MathF.Round(-low / scale), 0, Limit) : 1 << (Bits - 1));
        }
    }

    /// <param name="id">Names the format.</param>
    public static NumberFormat Of(FormatId id) => id.Family.Name switch
    {
        // Kernels of 8 and of 2 bits that compute in float exist, and are ten and more times slower than these.
        FormatFamilies.Int8Weight => Of(id, GridOf(id, bits: 8), RoundsActivations),
        FormatFamilies.Int2Weight => Of(id, GridOf(id, bits: 2), RoundsActivations),
        _ => Of(id, GridOf(id, bits: 4), id.Number("accuracy")),
    };

    /// <summary>Symmetric weights of any number of bits, whether or not there is a kernel for them.</summary>
    /// <param name="id">Names the format.</param>
    /// <param name="bits">Bits of a value.</param>
    /// <param name="block">Inputs that share a scale.</param>
    public static NumberFormat Symmetric(FormatId id, int bits, int block) => Of(id, new Grid(bits, block, HasZeroPoints: false), RoundsActivations);

    private static Grid GridOf(FormatId id, int bits) => new(bits, id.Number("block"), id["grid"] == FormatFamilies.ZeroPoints);

    private static NumberFormat Of(FormatId id, Grid grid, int accuracy) => new(
        Name: id.Text,
        Version: 1,
        KernelIdentity: $"MatMulNBits(bits={grid.Bits},block={grid.Block}{(grid.HasZeroPoints ? ",zero-points" : "")},accuracy={accuracy})",
        TimePerMac: accuracy == RoundsActivations ? 0.25 : 1,
        WhyNot: site => site.IsEmbedding ? WhyNoTable(site, grid) : site.WhyNoWeightMatrix(),
        Prepare: (site, weight) => site.Moments is { } moments && id[FormatFamilies.PreparationName] == FormatFamilies.Gptq
            ? Compensate(site, weight, moments, grid) : Prepare(site, weight, grid),
        Emit: e => Emit(e, grid, accuracy),
        InputNoise: accuracy == RoundsActivations ? Noises.GetOrAdd(grid.Block, block => (b, site, x, gradient) => InputNoise(b, site, x, gradient, block)) : null,
        WeightBlock: grid.Block,
        WeightSteps: (site, weight) => Scales(site, weight, grid),
        Kernels: site =>
        [
            site.IsEmbedding
                ? new("com.microsoft.GatherBlockQuantized", ("bits", grid.Bits), ("block_size", grid.Block))
                : new("com.microsoft.MatMulNBits", ("K", site.InputSize), ("N", site.OutputSize), ("bits", grid.Bits), ("block_size", grid.Block), ("accuracy_level", accuracy)),
        ],
        Disagreement: accuracy == RoundsActivations ? Math.Sqrt(2) : 0,
        Bytes: site => site.OutputSize * (ValueBytes(site, grid) + ((long)Blocks(site, grid) * sizeof(float)) + (grid.HasZeroPoints ? ZeroPointBytes(site, grid) : 0)))
    {
        IsFor = kind => kind is not (LayerKind.ActivationMatMul or LayerKind.Recurrent),
        ReadsMoments = id[FormatFamilies.PreparationName] == FormatFamilies.Gptq,
    };

    private static int Blocks(LayerSite site, Grid grid) => (site.InputSize + grid.Block - 1) / grid.Block;

    /// <summary>Bytes of one column's values: whole blocks of a matrix, the width of a table.</summary>
    private static int ValueBytes(LayerSite site, Grid grid) => (site.IsEmbedding ? site.InputSize : Blocks(site, grid) * grid.Block) * grid.Bits / 8;

    /// <summary>Bytes of one column's zero points.</summary>
    private static int ZeroPointBytes(LayerSite site, Grid grid) => ((Blocks(site, grid) * grid.Bits) + 7) / 8;

    private static void Emit(LayerEmission e, Grid grid, int accuracy)
    {
        AttributeProto[] common = [Attributes.Of("bits", grid.Bits), Attributes.Of("block_size", grid.Block)];
        if (e.Site.IsEmbedding)
        {
            // Negative indices count from the end, as Gather's do.
            e.Builder.NodeTo(
                [e.Output], "GatherBlockQuantized", "com.microsoft", [e.Constants[0], e.Input, .. e.Constants.Skip(1)], [.. common, Attributes.Of("gather_axis", 0), Attributes.Of("quantize_axis", 1)]);
            return;
        }

        e.Product(
            "MatMulNBits",
            "com.microsoft",
            [e.Input, .. e.Constants],
            [Attributes.Of("K", e.Site.InputSize), Attributes.Of("N", e.Site.OutputSize), .. common, Attributes.Of("accuracy_level", accuracy)]);
    }

    private static string? WhyNoTable(LayerSite site, Grid grid) =>
        site.InputSize * grid.Bits % 8 != 0 ? $"{site.InputSize} values of {grid.Bits} bits, a row of the table, are no whole number of bytes; the kernel takes such" : null;

    private static Tensor[] Prepare(LayerSite site, Tensor weight, Grid grid)
    {
        int inputs = site.InputSize, outputs = site.OutputSize, blocks = Blocks(site, grid), size = grid.Block, blockBytes = size * grid.Bits / 8, columnBytes = ValueBytes(site, grid), zeroBytes = ZeroPointBytes(site, grid);
        var scales = new float[outputs * blocks];
        var packed = new byte[(long)outputs * columnBytes];
        var packedZeros = new byte[grid.HasZeroPoints ? outputs * zeroBytes : 0];
        site.ForEachColumn(weight, (column, values) =>
        {
            Span<float> padded = stackalloc float[size];
            Span<byte> quantized = stackalloc byte[size];
            byte[] zeros = new byte[zeroBytes * 8 / grid.Bits];
            for (int block = 0; block < blocks; block++)
            {
                scoped ReadOnlySpan<float> part = values.Slice(block * size, Math.Min(size, inputs - (block * size)));
                if (part.Length < size)
                {
                    padded.Clear();
                    part.CopyTo(padded);
                    part = padded;
                }

                (float scale, int zero) = grid.Of(part);
                scales[(column * blocks) + block] = scale;
                zeros[block] = (byte)zero;
                Rounding.ToUnsigned(part, scale, zero, grid.Limit, quantized);
                Pack(quantized, grid.Bits, packed.AsSpan(checked((column * columnBytes) + (block * blockBytes)), Math.Min(blockBytes, columnBytes - (block * blockBytes))));
            }

            if (grid.HasZeroPoints)
            {
                Pack(zeros, grid.Bits, packedZeros.AsSpan(column * zeroBytes, zeroBytes));
            }
        });
        Tensor[] constants = site.IsEmbedding
            ? [new Tensor(ElementType.UInt8, [outputs, columnBytes], packed), Tensor.Of<float>(scales, outputs, blocks)]
            : [new Tensor(ElementType.UInt8, [outputs, blocks, blockBytes], packed), Tensor.Of<float>(scales, (long)outputs * blocks)];
        return grid.HasZeroPoints ? [.. constants, new Tensor(ElementType.UInt8, site.IsEmbedding ? [outputs, zeroBytes] : [(long)outputs * zeroBytes], packedZeros)] : constants;
    }

    private static Tensor[] Compensate(LayerSite site, Tensor weight, InputMoments moments, Grid grid)
    {
        int inputs = site.InputSize, outputs = site.OutputSize, blocks = Blocks(site, grid), size = grid.Block, blockBytes = size * grid.Bits / 8, zeroBytes = ZeroPointBytes(site, grid);
        var scales = new float[outputs * blocks];
        var packed = new byte[(long)outputs * blocks * blockBytes];
        var packedZeros = new byte[grid.HasZeroPoints ? outputs * zeroBytes : 0];
        WeightGrid.StepFunction step = values => grid.Of(values) is var (scale, zero) ? new GridStep(scale, (short)-zero, (short)(grid.Limit - zero)) : default;
        new WeightGrid(size, step).Round(site, weight, moments, (column, steps, values) =>
        {
            Span<byte> quantized = stackalloc byte[size], zeros = stackalloc byte[blocks];
            for (int block = 0; block < blocks; block++)
            {
                scales[(column * blocks) + block] = steps[block].Scale;
                int zero = -steps[block].Least;
                zeros[block] = (byte)zero;
                quantized.Fill((byte)zero);
                ReadOnlySpan<short> own = values.Slice(block * size, Math.Min(size, inputs - (block * size)));
                for (int i = 0; i < own.Length; i++)
                {
                    quantized[i] = (byte)(own[i] + zero);
                }

                Pack(quantized, grid.Bits, packed.AsSpan(checked((int)((((long)column * blocks) + block) * blockBytes)), blockBytes));
            }

            if (grid.HasZeroPoints)
            {
                Pack(zeros, grid.Bits, packedZeros.AsSpan(column * zeroBytes, zeroBytes));
            }
        });
        Tensor[] constants = [new Tensor(ElementType.UInt8, [outputs, blocks, blockBytes], packed), Tensor.Of<float>(scales, (long)outputs * blocks)];
        return grid.HasZeroPoints ? [.. constants, new Tensor(ElementType.UInt8, [(long)outputs * zeroBytes], packedZeros)] : constants;
    }

    private static float[] Scales(LayerSite site, Tensor weight, Grid grid)
    {
        int inputs = site.InputSize, blocks = Blocks(site, grid), size = grid.Block;
        var scales = new float[site.OutputSize * blocks];
        site.ForEachColumn(weight, (column, values) =>
        {
            for (int block = 0; block < blocks; block++)
            {
                scales[(column * blocks) + block] = grid.Of(values.Slice(block * size, Math.Min(size, inputs - (block * size)))).Scale;
            }
        });
        return scales;
    }

    /// <summary>Lower bits first.</summary>
    private static void Pack(ReadOnlySpan<byte> quantized, int bits, Span<byte> bytes)
    {
        if (bits == 8)
        {
            quantized[..bytes.Length].CopyTo(bytes);
            return;
        }

        int perByte = 8 / bits;
        for (int i = 0; i < bytes.Length; i++)
        {
            int value = 0;
            for (int part = 0; part < perByte; part++)
            {
                value |= quantized[(i * perByte) + part] << (part * bits);
            }

            bytes[i] = (byte)value;
        }
    }

    /// <summary>Δ²/12 with Δ = max|x|/127 per row and block; per row where the blocks do not divide it.</summary>
    private static string InputNoise(GraphBuilder b, LayerSite site, string x, string gradient, int size)
    {
        string shape = site.InputSize % size == 0 ? b.Integers(-1, site.InputSize / size, size) : b.Integers(-1, 1, site.InputSize);
        string last = b.Integers(-1);
        string largest = b.Node("ReduceMax", [b.Node("Abs", [b.Reshape(x, shape)]), last], Attributes.Of("keepdims", 1));
        string step = b.Mul(largest, b.Scalar(1 / (127 * Math.Sqrt(12))));
        string squares = b.Node("ReduceSumSquare", [b.Reshape(gradient, shape), last], Attributes.Of("keepdims", 1));
        return b.ReduceSum(b.Mul(b.Mul(step, step), squares));
    }
}
