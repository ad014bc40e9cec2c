using System.Buffers;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Onnx;

namespace MixedPrecision.Execution;

/// <summary>Results of a run in the runtime's own memory, given back on disposal. Only dense tensors of numbers.</summary>
public sealed class RunResults : IDisposable
{
    private readonly IDisposableReadOnlyCollection<OrtValue> values;

    /// <param name="inputs">What was fed: an output that is an input has the memory of the input, which may move once the run is over.</param>
    internal RunResults(IReadOnlyList<string> names, IDisposableReadOnlyCollection<OrtValue> values, IReadOnlyDictionary<string, Tensor> inputs)
    {
        this.values = values;
        Tensors = names.Select((name, i) => (name, Value: values[i])).Where(r => Session.HoldsNumbers(r.Value))
            .ToDictionary(r => r.name, r => inputs.TryGetValue(r.name, out Tensor? input) ? input : View(r.Value));
    }

    /// <summary>By output name, views that end with these results.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors { get; }

    public void Dispose() => values.Dispose();

    private static Tensor View(OrtValue value)
    {
        OrtTensorTypeAndShapeInfo info = value.GetTensorTypeAndShape();
        return new Tensor((int)info.ElementDataType, info.Shape, info.ElementCount == 0 ? default : new RuntimeMemory(value).Memory);
    }

    private sealed unsafe class RuntimeMemory(OrtValue value) : MemoryManager<byte>
    {
        public override Span<byte> GetSpan() => value.GetTensorMutableRawData();

        public override MemoryHandle Pin(int elementIndex = 0)
        {
            fixed (byte* start = GetSpan())
            {
                // The runtime's memory does not move.
                return new MemoryHandle(start + elementIndex);
            }
        }

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
