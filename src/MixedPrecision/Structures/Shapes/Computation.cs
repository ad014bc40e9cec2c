using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Structures.Shapes;

/// <summary>
/// A value of a model that follows from sizes, constants and the model's inputs, with what computes it: masks, rotary tables, scales. It can be run for any sizes without the
/// model's weights: integers whose formulas are known are fed.
/// </summary>
public sealed class Computation : IDisposable
{
    /// <summary>A computation of more nodes is none of a mask or a table.</summary>
    private const int MostNodes = 400;

    /// <summary>What is computed takes at most this many elements, so that a hostile model's mask does not take all memory.</summary>
    private const long MostElements = 1L << 26;

    private readonly Session session;
    private readonly string value;
    private readonly SymbolicShapes shapes;
    private readonly IReadOnlyList<(string Name, TensorType Type)> known;
    private readonly IReadOnlyList<(string Name, TensorType Type)> inputs;

    private Computation(
        Session session, string value, SymbolicShapes shapes, IReadOnlyList<(string Name, TensorType Type)> known, IReadOnlyList<(string Name, TensorType Type)> inputs, IReadOnlyList<Tensor> constants)
    {
        this.session = session;
        this.value = value;
        this.shapes = shapes;
        this.known = known;
        this.inputs = inputs;
        Constants = constants;
    }

    /// <summary>Whether no values of the model's inputs enter, but their sizes alone.</summary>
    public bool IsOfSizesAlone => inputs.Count == 0;

    /// <summary>The stored constants that enter.</summary>
    public IReadOnlyList<Tensor> Constants { get; }

    /// <summary>All symbols that sizes in it are formulas of.</summary>
    public IEnumerable<string> Symbols => known.SelectMany(k => shapes.Elements(k.Name)!.SelectMany(e => e!.Symbols))
        .Concat(inputs.SelectMany(i => shapes.Of(i.Name)!.SelectMany(d => d.Symbols))).Distinct();

    /// <summary>The computation of a value, or null when an activation enters or it does not run.</summary>
    public static Computation? Of(OnnxModel model, GraphView view, IReadOnlyDictionary<string, TensorType> types, SymbolicShapes shapes, string value)
    {
        HashSet<string> fed = [.. model.Inputs.Select(i => i.Name)];
        var nodes = new SortedSet<int>();
        var known = new SortedSet<string>(StringComparer.Ordinal);
        var inputs = new SortedSet<string>(StringComparer.Ordinal);
        var constants = new SortedSet<string>(StringComparer.Ordinal);
        var open = new Stack<string>([value]);
        while (open.TryPop(out string? name))
        {
            bool isInteger = types.TryGetValue(name, out TensorType? type) && type.ElementType is ElementType.Int32 or ElementType.Int64;
            if (view.Producer(name) is not int node)
            {
                (fed.Contains(name) ? inputs : constants).Add(name);
            }
            else if (isInteger && !Weights.IsStored(view.Nodes[node]) && shapes.Elements(name) is { } elements && elements.All(e => e is not null))
            {
                known.Add(name);
            }
            else if (nodes.Add(node))
            {
                foreach (string input in view.Inputs[node])
                {
                    open.Push(input);
                }
            }

            if (nodes.Count > MostNodes)
            {
                return null;
            }
        }

        // An app may replace defaults, and an input whose values enter has to be one that they can be made up for.
        if (constants.Any(model.Defaults.Contains)
            || inputs.Any(i => shapes.Of(i) is null || types[i].ElementType is not (ElementType.Int64 or ElementType.Int32 or ElementType.Bool or ElementType.Float)))
        {
            return null;
        }

        ModelProto proto = Frame(model, view, nodes, constants, value);
        (string Name, TensorType Type)[] Typed(IEnumerable<string> names, bool open) =>
            [.. names.Select(n => (n, open ? types[n] with { Shape = [.. shapes.Of(n)!.Select(_ => Dimension.Unknown)] } : types[n]))];
        (string Name, TensorType Type)[] ofSizes = Typed(known, open: false), ofValues = Typed(inputs, open: true);
        proto.Graph.Input.AddRange(ofSizes.Concat(ofValues).Select(i => i.Type.ToProto(i.Name)));
        try
        {
            Tensor[] stored = [.. nodes.Select(n => Weights.IsStored(view.Nodes[n]) ? view.Nodes[n].Output[0] : null).OfType<string>().Concat(constants)
                .Select(c => Weights.Read(model, view, c)).OfType<Tensor>()];
            return new Computation(Session.Create(proto, SessionSettings.Plain, model.Folder), value, shapes, ofSizes, ofValues, stored);
        }
        catch (OnnxRuntimeException)
        {
            // A piece that does not stand alone proves nothing; the sub-graph stays as exported.
            return null;
        }
    }

    /// <summary>The value for given sizes and inputs, or null where a size is not given, or the model does not run with these.</summary>
    /// <param name="symbols">Sizes of all <see cref="Symbols"/>.</param>
    /// <param name="draw">Makes an input of a type and sizes.</param>
    public Tensor? Run(IReadOnlyDictionary<string, long> symbols, Func<TensorType, long[], Tensor> draw)
    {
        var feed = new Dictionary<string, Tensor>();
        foreach ((string name, TensorType type) in known)
        {
            if (Numbers(shapes.Elements(name)!, symbols) is not { } numbers)
            {
                return null;
            }

            long[] shape = shapes.Of(name) is { Length: 0 } ? [] : [numbers.Length];
            feed[name] = type.ElementType == ElementType.Int64 ? Tensor.Of<long>(numbers, shape) : Tensor.Of<int>([.. numbers.Select(n => (int)n)], shape);
        }

        foreach ((string name, TensorType type) in inputs)
        {
            if (Numbers(shapes.Of(name)!, symbols) is not { } sizes || sizes.Any(s => s is < 0 or > MostElements) || sizes.Aggregate(1.0, (a, b) => a * b) > MostElements)
            {
                return null;
            }

            feed[name] = draw(type, sizes);
        }

        if (Numbers(shapes.Of(value) ?? [], symbols)?.Aggregate(1.0, (a, b) => a * b) > MostElements)
        {
            return null;
        }

        try
        {
            return session.Run(feed).GetValueOrDefault(value);
        }
        catch (OnnxRuntimeException)
        {
            return null;
        }
    }

    public void Dispose() => session.Dispose();

    private static long[]? Numbers(IEnumerable<Size?> sizes, IReadOnlyDictionary<string, long> symbols)
    {
        long?[] numbers = [.. sizes.Select(s => s?.At(symbols))];
        return numbers.All(n => n is not null) ? [.. numbers.Select(n => n!.Value)] : null;
    }

    private static ModelProto Frame(OnnxModel model, GraphView view, IEnumerable<int> nodes, IEnumerable<string> constants, string value)
    {
        ModelProto proto = Extraction.Frame(model);
        proto.Graph.Initializer.AddRange(constants.Select(c => model.Initializers.GetValueOrDefault(c)).OfType<TensorProto>());
        proto.Graph.Node.AddRange(nodes.Select(n => view.Nodes[n].Clone()));
        proto.Graph.Output.Add(new ValueInfoProto { Name = value });
        return proto;
    }
}
