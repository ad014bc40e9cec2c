using System.Buffers;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Onnx;

namespace MixedPrecision.Execution;

/// <summary>
/// How a session is made: every session of the engine is made from one of these, so that provider, threads, optimizations and spinning are settled in one place. The
/// defaults are those of an app that sets nothing, but for one: workers spin while a run lasts and no longer.
/// </summary>
/// <param name="Threads">Threads within an operator; 0 leaves the choice to ONNX Runtime.</param>
/// <param name="Optimization">Level of graph optimizations.</param>
/// <param name="Prepacking">Whether constant weights are laid out anew for the kernels; costs their memory a second time.</param>
/// <param name="ReuseMemory">Memory arena and memory pattern: faster, but never given back.</param>
/// <param name="OptimizedFile">Where the runtime writes the graph as it optimized it, or null.</param>
/// <param name="Options">What the app sets besides; null: nothing.</param>
public sealed record SessionSettings(
    int Threads = 0,
    GraphOptimizationLevel Optimization = GraphOptimizationLevel.ORT_ENABLE_ALL,
    bool Prepacking = true,
    bool ReuseMemory = true,
    string? OptimizedFile = null,
    IReadOnlyList<SessionOption>? Options = null)
{
    public static readonly SessionSettings Default = new();

    /// <summary>For calibration: exact values, many shapes, small memory.</summary>
    public static readonly SessionSettings Plain = new(0, GraphOptimizationLevel.ORT_ENABLE_BASIC, Prepacking: false, ReuseMemory: false);

    /// <summary>
    /// For timing, of sub-graphs and of whole models: as an app has it. Several sessions are alive and run in turn; workers that went on spinning after a run, as
    /// ONNX Runtime's default has it, would take the processors away from the next session's run.
    /// </summary>
    /// <param name="threads">Threads within an operator, as the app sets them.</param>
    /// <param name="options">What the app sets besides; null: nothing.</param>
    public static SessionSettings Timing(int threads, IReadOnlyList<SessionOption>? options = null) => new(threads, Options: options);

    /// <summary>For the types that the runtime infers, which it writes into a file.</summary>
    public static SessionSettings Types(string file) => new(1, GraphOptimizationLevel.ORT_ENABLE_BASIC, OptimizedFile: file);

    /// <summary>The same for inputs of any size.</summary>
    public SessionSettings ForAnySize() => this with { Options = Options?.Where(o => o.Kind != SessionOptionKind.FreeDimension).ToArray() };

    internal SessionOptions ToOptions(string? externalFolder)
    {
        var options = new SessionOptions
        {
            GraphOptimizationLevel = Optimization,
            EnableMemoryPattern = ReuseMemory,
            EnableCpuMemArena = ReuseMemory,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,
        };
        if (OptimizedFile is not null)
        {
            options.OptimizedModelFilePath = OptimizedFile;
        }

        if (Threads > 0)
        {
            options.IntraOpNumThreads = Threads;
        }

        // Workers that spin after a run take the processor away from the next session's run. See build/docs/how-it-works.md, Benchmarking.
        options.AddSessionConfigEntry("session.force_spinning_stop", "1");
        if (!Prepacking)
        {
            options.AddSessionConfigEntry("session.disable_prepacking", "1");
        }

        foreach (SessionOption option in Options ?? [])
        {
            option.Apply(options);
        }

        if (externalFolder is not null)
        {
            options.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", externalFolder);
        }

        return options;
    }
}

/// <summary>A model that ONNX Runtime has loaded and that runs on <see cref="Tensor"/>s, without copying inputs.</summary>
public sealed class Session : IDisposable
{
    private readonly InferenceSession session;

    private Session(InferenceSession session) => this.session = session;

    public IReadOnlyList<string> Inputs => session.InputNames;

    public IReadOnlyList<string> Outputs => session.OutputNames;

    /// <summary>Loads a model from its message.</summary>
    /// <param name="externalFolder">Folder of external data, when the model has any.</param>
    /// <exception cref="OnnxRuntimeException">The runtime does not accept the model.</exception>
    public static Session Create(ModelProto model, SessionSettings settings, string? externalFolder = null) =>
        Create(model.ToByteArray(), settings, externalFolder);

    /// <summary>Loads a model from the bytes of its message.</summary>
    public static Session Create(byte[] model, SessionSettings settings, string? externalFolder = null)
    {
        using SessionOptions options = settings.ToOptions(externalFolder);
        return new Session(new InferenceSession(model, options));
    }

    /// <summary>Loads a model from a file, as an app does.</summary>
    public static Session Open(string path, SessionSettings settings)
    {
        using SessionOptions options = settings.ToOptions(null);
        return new Session(new InferenceSession(path, options));
    }

    /// <summary>Runs once. Inputs the session does not know are ignored; the values of all outputs, or of those named, are returned by name, but for those that are no dense tensors of numbers.</summary>
    public IReadOnlyDictionary<string, Tensor> Run(IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyList<string>? outputs = null)
    {
        using var feed = new Feed(session.InputNames.Select(n => (n, inputs.TryGetValue(n, out Tensor? t) ? t : throw new ArgumentException($"no value for input '{n}'"))));
        return Run(feed, outputs);
    }

    /// <summary>Runs on inputs that were prepared once, e.g. to time a run without preparing them.</summary>
    public IReadOnlyDictionary<string, Tensor> Run(Feed feed, IReadOnlyList<string>? outputs = null)
    {
        outputs ??= session.OutputNames;
        using var options = new RunOptions();
        using IDisposableReadOnlyCollection<OrtValue> results = session.Run(options, feed.Names, feed.Values, outputs);
        return outputs.Select((name, i) => (name, results[i])).Where(r => HoldsNumbers(r.Item2)).ToDictionary(r => r.name, r => Copy(r.Item2));
    }

    /// <summary>
    /// Runs without copying the results: they stay in the runtime's memory until the results are disposed of, and their tensors must not be
    /// used after that. Inputs the session does not know are ignored.
    /// </summary>
    /// <exception cref="OperationCanceledException">Cancelled before or during the run, which ends at the next operator.</exception>
    public RunResults RunInPlace(IReadOnlyDictionary<string, Tensor> inputs, CancellationToken cancel)
    {
        using var feed = new Feed(session.InputNames.Select(n => (n, inputs.TryGetValue(n, out Tensor? t) ? t : throw new ArgumentException($"no value for input '{n}'"))));
        using var options = new RunOptions();
        using CancellationTokenRegistration registration = cancel.Register(() => options.Terminate = true);
        try
        {
            cancel.ThrowIfCancellationRequested();
            return new RunResults(session.OutputNames, session.Run(options, feed.Names, feed.Values, session.OutputNames), inputs);
        }
        catch (OnnxRuntimeException) when (cancel.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancel);
        }
    }

    /// <summary>Runs and drops the results: what is timed.</summary>
    public void RunOnly(Feed feed)
    {
        using var options = new RunOptions();
        session.Run(options, feed.Names, feed.Values, session.OutputNames).Dispose();
    }

    public void Dispose() => session.Dispose();

    /// <summary>Whether a value is a dense tensor, and not of text.</summary>
    internal static bool HoldsNumbers(OrtValue value) =>
        value.IsTensor && ElementType.BitsOf((int)value.GetTensorTypeAndShape().ElementDataType) > 0;

    private static Tensor Copy(OrtValue value)
    {
        OrtTensorTypeAndShapeInfo info = value.GetTensorTypeAndShape();
        long[] shape = info.Shape;
        return new Tensor((int)info.ElementDataType, shape, info.ElementCount == 0 ? Array.Empty<byte>() : value.GetTensorDataAsSpan<byte>().ToArray());
    }
}

/// <summary>Inputs of a run, pinned in memory and wrapped for the runtime without a copy.</summary>
public sealed class Feed : IDisposable
{
    private readonly List<MemoryHandle> pins = [];

    public Feed(IEnumerable<(string Name, Tensor Value)> inputs)
    {
        var names = new List<string>();
        var values = new List<OrtValue>();
        foreach ((string name, Tensor value) in inputs)
        {
            names.Add(name);
            values.Add(Wrap(value));
        }

        Names = names;
        Values = values;
    }

    public IReadOnlyList<string> Names { get; }

    public IReadOnlyList<OrtValue> Values { get; }

    public void Dispose()
    {
        foreach (OrtValue value in Values)
        {
            value.Dispose();
        }

        pins.ForEach(p => p.Dispose());
    }

    private unsafe OrtValue Wrap(Tensor tensor)
    {
        MemoryHandle pin = tensor.Bytes.Pin();
        pins.Add(pin);
        return OrtValue.CreateTensorValueWithData(
            OrtMemoryInfo.DefaultInstance,
            (Microsoft.ML.OnnxRuntime.Tensors.TensorElementType)tensor.ElementType,
            tensor.Shape,
            (IntPtr)(pin.Pointer == null ? Empty : pin.Pointer),
            tensor.Bytes.Length);
    }

    /// <summary>An address for tensors without elements, which the runtime wants to be non-null.</summary>
    private static readonly unsafe void* Empty = NativeMemory.Alloc(16);
}
