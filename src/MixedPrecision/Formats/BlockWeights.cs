using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Formats;

/// <summary>
/// Weights of few bits with one scale per block of consecutive inputs of an output column: w ≈ s(q − 2^(bits−1)), 0 ≤ q &lt; 2^bits, with s
/// chosen so that the value of largest magnitude is met exactly by the longer, negative side. Run by com.microsoft.MatMulNBits at accuracy
/// level 4, which rounds activations to 8 bits per row and block, Δ = max|x|/127. Applies to weight matrices in float32.
/// Layout (operator specification): values [N, ⌈K/block⌉, block·bits/8], lower half of a byte first; scales [N·⌈K/block⌉].
/// </summary>
internal static class BlockWeights
{
    private const long AccuracyLevel = 4;

    public static NumberFormat Of(FormatId id) => Of(id, bits: id.Family.Name == FormatFamilies.Int4Weight ? 4 : 8, block: id.Number("block"));

    /// <param name="id">Names the format.</param>
    /// <param name="bits">Bits of a value.</param>
    /// <param name="block">Inputs that share a scale.</param>
    public static NumberFormat Of(FormatId id, int bits, int block) => new(
        Name: id.Text,
        Version: 1,
        KernelIdentity: $"MatMulNBits(bits={bits},block={block},accuracy={AccuracyLevel})",
        TimePerMac: 0.25,
        WhyNot: site => site.WhyNoWeightMatrix(),
        Prepare: (site, weight) => site.Moments is { } moments && id[FormatFamilies.PreparationName] == FormatFamilies.Gptq
            ? Compensate(site, weight, moments, bits, block) : Prepare(site, weight, bits, block),
        Emit: e => e.Product(
            "MatMulNBits",
            "com.microsoft",
            [e.Input, e.Constants[0], e.Constants[1]],
            Attributes.Of("K", e.Site.InputSize),
            Attributes.Of("N", e.Site.OutputSize),
            Attributes.Of("bits", bits),
            Attributes.Of("block_size", block),
            Attributes.Of("accuracy_level", AccuracyLevel)),
        InputNoise: (b, site, x, gradient) => InputNoise(b, site, x, gradient, block),
        WeightBlock: block,
        WeightSteps: (site, weight) => Scales(site, weight, bits, block),
        Kernels: site =>
        [
            new("com.microsoft.MatMulNBits", ("K", site.InputSize), ("N", site.OutputSize), ("bits", bits), ("block_size", block), ("accuracy_level", AccuracyLevel)),
        ],
        Disagreement: Math.Sqrt(2),
        Bytes: site => (long)site.OutputSize * Blocks(site, block) * ((block * bits / 8) + 4))
    {
        ReadsMoments = id[FormatFamilies.PreparationName] == FormatFamilies.Gptq,
    };

    private static int Blocks(LayerSite site, int size) => (site.InputSize + size - 1) / size;

    private static Tensor[] Prepare(LayerSite site, Tensor weight, int bits, int size)
    {
        int inputs = site.InputSize, outputs = site.OutputSize, blocks = Blocks(site, size), blockBytes = size * bits / 8;
        int offset = 1 << (bits - 1), limit = (1 << bits) - 1;
        var scales = new float[outputs * blocks];
        var packed = new byte[(long)outputs * blocks * blockBytes];
        site.ForEachColumn(weight, (column, values) =>
        {
            Span<float> padded = stackalloc float[size];
            Span<byte> quantized = stackalloc byte[size];
            for (int block = 0; block < blocks; block++)
            {
                scoped ReadOnlySpan<float> part = values.Slice(block * size, Math.Min(size, inputs - (block * size)));
                if (part.Length < size)
                {
                    padded.Clear();
                    part.CopyTo(padded);
                    part = padded;
                }

                float scale = scales[(column * blocks) + block] = Scale(part, bits);
                Span<byte> bytes = packed.AsSpan(checked((int)((((long)column * blocks) + block) * blockBytes)), blockBytes);
                Rounding.ToUnsigned(part, scale, offset, limit, bits == 8 ? bytes : quantized);
                if (bits < 8)
                {
                    Pack(quantized, bits, bytes);
                }
            }
        });
        return [new Tensor(ElementType.UInt8, [outputs, blocks, blockBytes], packed), Tensor.Of<float>(scales, (long)outputs * blocks)];
    }

    private static Tensor[] Compensate(LayerSite site, Tensor weight, InputMoments moments, int bits, int size)
    {
        int inputs = site.InputSize, outputs = site.OutputSize, blocks = Blocks(site, size), blockBytes = size * bits / 8;
        short limit = (short)(1 << (bits - 1));
        var scales = new float[outputs * blocks];
        var packed = new byte[(long)outputs * blocks * blockBytes];
        new WeightGrid(size, block => new GridStep(Scale(block, bits), (short)-limit, (short)(limit - 1))).Round(site, weight, moments, (column, steps, values) =>
        {
            Span<byte> quantized = stackalloc byte[size];
            for (int block = 0; block < blocks; block++)
            {
                scales[(column * blocks) + block] = steps[block].Scale;
                quantized.Fill((byte)limit);
                ReadOnlySpan<short> own = values.Slice(block * size, Math.Min(size, inputs - (block * size)));
                for (int i = 0; i < own.Length; i++)
                {
                    quantized[i] = (byte)(own[i] + limit);
                }

                Pack(quantized, bits, packed.AsSpan(checked((int)((((long)column * blocks) + block) * blockBytes)), blockBytes));
            }
        });
        return [new Tensor(ElementType.UInt8, [outputs, blocks, blockBytes], packed), Tensor.Of<float>(scales, (long)outputs * blocks)];
    }

    private static float[] Scales(LayerSite site, Tensor weight, int bits, int size)
    {
        int inputs = site.InputSize, blocks = Blocks(site, size);
        var scales = new float[site.OutputSize * blocks];
        site.ForEachColumn(weight, (column, values) =>
        {
            for (int block = 0; block < blocks; block++)
            {
                scales[(column * blocks) + block] = Scale(values.Slice(block * size, Math.Min(size, inputs - (block * size))), bits);
            }
        });
        return scales;
    }

    /// <summary>Lower bits first.</summary>
    private static void Pack(ReadOnlySpan<byte> quantized, int bits, Span<byte> bytes)
    {
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

    /// <summary>Signed: the value of largest magnitude divided by −2^(bits−1).</summary>
    private static float Scale(ReadOnlySpan<float> block, int bits)
    {
        float largest = Rounding.LargestMagnitude(block);
        return largest == 0 ? 1 : largest / -(1 << (bits - 1));
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
