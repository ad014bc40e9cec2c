using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration;

/// <summary>
/// Constants of a model for as long as one segment needs them. External data is mapped anew and let go of at the end, so that the weights of a
/// large model do not stay in memory.
/// </summary>
internal sealed class ConstantScope(OnnxModel model, GraphView view) : IDisposable
{
    private readonly ExternalData external = new(model.Folder);
    private readonly Dictionary<string, Tensor?> read = [];

    /// <summary>The tensor of a value, or null where it is no constant.</summary>
    public Tensor? Find(string name) =>
        read.TryGetValue(name, out Tensor? tensor) ? tensor : read[name] = Partitioning.Weights.Read(model, view, name, external);

    public Tensor Get(string name) => Find(name)!;

    public void Dispose() => external.Dispose();
}
