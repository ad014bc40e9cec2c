using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Calibration.Formats;

/// <summary>A layer with what a format has to know of its surroundings.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Node">Its node in the original model.</param>
/// <param name="Opset">The version of ONNX's own operators in the model.</param>
/// <param name="Input">Type of the activation.</param>
/// <param name="Weight">Type of the weight, or of the second activation.</param>
public sealed record LayerSite(Layer Layer, NodeProto Node, int Opset, TensorType Input, TensorType Weight)
{
    /// <summary>Whether the second operand is a weight matrix.</summary>
    public bool HasWeightMatrix => Layer.Kind is LayerKind.MatMul or LayerKind.Gemm && Layer.WeightShape is { Length: 2 };

    /// <summary>Whether the weight is stored as [outputs, inputs].</summary>
    public bool IsWeightTransposed => Layer.Kind == LayerKind.Gemm && Node.Int("transB", 0) != 0;

    /// <summary>Size K over which products are summed. Only for weight matrices.</summary>
    public int InputSize => (int)Layer.WeightShape![IsWeightTransposed ? 1 : 0];

    /// <summary>Number N of output columns. Only for weight matrices.</summary>
    public int OutputSize => (int)Layer.WeightShape![IsWeightTransposed ? 0 : 1];

    /// <summary>Bytes of the weight as the model stores it; 0 for products of activations.</summary>
    public long BaselineBytes => Layer.WeightShape is null ? 0 : Tensor.ByteCount(Weight.ElementType, Layer.WeightShape);

    /// <summary>
    /// The weight as rows of outputs, [N, K], with Gemm's alpha multiplied in: the order in which formats look for the largest value of a
    /// column or block.
    /// </summary>
    public float[] Columns(Tensor weight)
    {
        float alpha = Layer.Kind == LayerKind.Gemm ? Node.Float("alpha", 1) : 1;
        return Arrange(weight.Values<float>(), alpha);
    }

    /// <summary>Values in the weight's own layout as [N, K], each multiplied by a factor.</summary>
    public float[] Arrange(ReadOnlySpan<float> values, float factor)
    {
        int inputs = InputSize, outputs = OutputSize;
        var columns = new float[values.Length];
        if (IsWeightTransposed)
        {
            System.Numerics.Tensors.TensorPrimitives.Multiply(values, factor, columns);
            return columns;
        }

        const int tile = 64;
        for (int firstRow = 0; firstRow < inputs; firstRow += tile)
        {
            int lastRow = Math.Min(firstRow + tile, inputs);
            for (int column = 0; column < outputs; column++)
            {
                for (int row = firstRow; row < lastRow; row++)
                {
                    columns[(column * inputs) + row] = values[(row * outputs) + column] * factor;
                }
            }
        }

        return columns;
    }

    /// <summary>Reasons that keep every format which multiplies by a weight matrix from a layer.</summary>
    public string? WhyNoWeightMatrix() => Layer.Kind switch
    {
        LayerKind.ActivationMatMul => "both operands are activations; there is no weight to store in fewer bits",
        LayerKind.Conv or LayerKind.ConvTranspose => "ONNX Runtime has no convolution with weights in this format",
        _ when Layer.WeightShape!.Length != 2 => $"the weight has {Layer.WeightShape.Length} dimensions; the kernel takes a matrix",
        _ => WhyNotFloat() ?? WhyNotProduct(),
    };

    /// <summary>Formats here compute from and to 32-bit floats.</summary>
    public string? WhyNotFloat() =>
        Input.ElementType == ElementType.Float && Weight.ElementType == ElementType.Float
            ? null
            : $"the layer computes in {ElementType.Name(Input.ElementType)}; the kernel takes float";

    private string? WhyNotProduct() =>
        Layer.Kind == LayerKind.Gemm && Node.Int("transA", 0) != 0 ? "Gemm transposes its activation (transA)"
        : Input.Rank is null or < 2 ? "the activation is a vector, or its rank is unknown"
        : null;
}
