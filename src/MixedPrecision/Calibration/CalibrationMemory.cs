namespace MixedPrecision.Calibration;

/// <summary>
/// How much memory calibration takes to save time. Results are the same but for rounding; only tests set other than the default. In bytes.
/// </summary>
/// <param name="WholeModel">Weights and values of a model up to which it runs as one segment: less overhead, and nothing to save.</param>
/// <param name="KeptValues">Operands and outputs of layers of one sample that are kept, so that they need not be computed twice.</param>
/// <param name="Group">Values and gradients that are kept of the samples that go through the model together.</param>
/// <param name="Weight">
/// A weight beyond which its gradient is taken in tiles of columns, and layers are probed in one format at a time, some columns after the others.
/// </param>
/// <param name="Moments">Elements of the <see cref="Formats.InputMoments"/> that are summed at the same time: where full matrices would have more, they are kept in blocks. 8 bytes each, or a few times that.</param>
/// <param name="GradientTile">A tile of a weight's gradient: large enough to compute at full speed, small enough for the processor's cache.</param>
public sealed record CalibrationMemory(
    long WholeModel = 256L << 20,
    long KeptValues = 1L << 30,
    long Group = 768L << 20,
    long Weight = 128L << 20,
    long Moments = 128L << 20,
    long GradientTile = 4L << 20)
{
    public static readonly CalibrationMemory Default = new();
}
